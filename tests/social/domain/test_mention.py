"""A mention: what people said of its tone stands, copies fold, what is deleted at its source is deleted here."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.kit.errors import Conflict, Invalid
from services.social.domain import mention as mentions
from services.social.domain.mention import Mention, State, Tone

NOW = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
POST = Mention("men_1", "src_1", "x", "900", "7", "gino", "Acme mai più", NOW, NOW, followers=100, reach=100)


def test_a_persons_tone_stands_above_the_models() -> None:
    scored = replace(POST, tone=Tone.POSITIVE, confidence=0.6, negative=0.1)
    corrected = mentions.correct_tone(scored, Tone.NEGATIVE)

    assert (corrected.tone, corrected.confidence, corrected.negative) == (Tone.NEGATIVE, 1.0, 1.0)
    assert mentions.correct_tone(corrected, Tone.NEGATIVE) is corrected
    with pytest.raises(Invalid):
        mentions.correct_tone(POST, Tone.UNKNOWN)


def test_a_colleagues_mention_is_not_taken() -> None:
    mine = mentions.take(POST, "usr_1")

    assert mentions.take(mine, "usr_1") is mine
    with pytest.raises(Conflict, match="usr_1"):
        mentions.take(mine, "usr_2")
    assert mentions.take(mentions.release(mine), "usr_2").assignee == "usr_2"


def test_ignoring_needs_a_reason_and_an_answered_one_is_not_ignored() -> None:
    with pytest.raises(Invalid):
        mentions.ignore(POST, " ")
    with pytest.raises(Conflict):
        mentions.ignore(mentions.answer(POST), "spam")
    assert mentions.ignore(POST, "spam").state is State.IGNORED


def test_looking_changes_a_new_one_only() -> None:
    assert mentions.see(POST).state is State.SEEN
    mine = mentions.take(POST, "usr_1")
    assert mentions.see(mine) is mine


def test_a_copy_counts_once_for_content_and_for_reach_in_full() -> None:
    original = mentions.fold_copy(mentions.fold_copy(POST, followers=5000), followers=0)

    assert (original.reposts, original.reach, original.text) == (2, 5100, POST.text)


def test_a_removed_post_keeps_that_it_was_there_and_nothing_of_what_it_said() -> None:
    gone = mentions.remove(replace(POST, title="t", matched=("Acme",), url="https://x.example/1", author_name="G"), NOW)

    assert (gone.text, gone.title, gone.matched, gone.url) == ("", "", (), "")
    assert (gone.author_handle, gone.author_name, gone.author_id) == ("", "", "")
    assert mentions.remove(gone, NOW + timedelta(days=1)) is gone


def test_a_linked_ticket_is_not_replaced() -> None:
    linked = mentions.link_ticket(POST, "tkt_1")

    assert mentions.link_ticket(linked, "tkt_2").ticket_id == "tkt_1"
    with pytest.raises(Invalid):
        mentions.link_ticket(POST, "")


def test_risk_rises_with_tone_reach_and_speed_and_falls_with_age_and_answers() -> None:
    def risk(**changes: object) -> float:
        return mentions.risk(replace(POST, **changes), NOW + timedelta(hours=1))  # type: ignore[arg-type]  # the test knows what it made

    assert risk(negative=0.9) > risk(negative=0.1)
    assert risk(negative=0.9, reach=100_000) > risk(negative=0.9)
    assert risk(negative=0.9, reposts=40) > risk(negative=0.9)
    assert risk(negative=0.9, occurred_at=NOW - timedelta(days=1)) < risk(negative=0.9)
    assert risk(negative=0.9, reach=10**6, state=State.ANSWERED) < risk(negative=0.2)
