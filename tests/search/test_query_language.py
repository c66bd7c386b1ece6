"""The query language: every text has a meaning, and what could not be used is said."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.search.domain.query import (
    EMPTY,
    All,
    And,
    Filter,
    Near,
    Not,
    Or,
    Phrase,
    Prefix,
    Range,
    Reader,
    Scoped,
    Word,
    parse,
)
from services.search.domain.query.fields import FIELDS
from services.search.domain.query.parser import MOST_TERMS

READER = Reader(datetime(2026, 3, 12, 9, tzinfo=UTC), ZoneInfo("Europe/Rome"), "it", "usr_1")
PIECES = st.sampled_from(
    ["(", ")", '"', "-", "OR", "AND", "NOT", "NEAR/3", "*", "~2", "pacco", "état", "state:", "stat:open", "is:open|x",
     "before:31/12", "last:7d", "from:(a OR b)", "«", "»", "\u0301", "\ud800", "\x00", ":", "::", "||", "in:files", "sort:old"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(max_size=300), st.lists(PIECES, max_size=60).map(" ".join), st.lists(PIECES, max_size=60).map("".join)
    )
)
def test_any_text_has_a_meaning(text: str) -> None:
    asked = parse(text, READER)

    for chip in asked.chips:
        assert chip.text
        parse(chip.without, READER)
    assert all(sentence for sentence in asked.ignored)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.from_regex(r"[a-z]{3,8}", fullmatch=True), min_size=1, max_size=6, unique=True))
def test_plain_words_are_all_sought_and_nothing_is_ignored(found: list[str]) -> None:
    asked = parse(" ".join(found), READER)

    assert asked.words == tuple(found)
    assert asked.ignored == ()


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("", EMPTY),
        ("pacco rotto", And((Word("pacco"), Word("rotto")))),
        ("pacco -rotto", And((Word("pacco"), Not(Word("rotto"))))),
        ("a OR b c", Or((Word("a"), And((Word("b"), Word("c")))))),
        ("(a OR b) c", And((Or((Word("a"), Word("b"))), Word("c")))),
        ('"pacco rotto"', Phrase("pacco rotto")),
        ("«pacco rotto»", Phrase("pacco rotto")),
        ("pacc*", Prefix("pacc")),
        ("a NEAR/3 b", Near("a", "b", 3)),
        ("canale:email", Filter("channel", ("email",))),
        ("stato:aperto|chiuso", Filter("state", ("open", "closed"))),
        ("etichetta:vip", Filter("tag", ("vip",))),
        ("agent:me", Filter("agent", ("usr_1",))),
        ("agent:nessuno", Filter("flag", ("unassigned",))),
        ("da:rossi", Scoped("from", Word("rossi"))),
        ('from:"Anna Rossi"', Scoped("from", Phrase("Anna Rossi"))),
        ("in:subject reso", Scoped("subject", Word("reso"))),
        ("-(-pacco)", Not(Not(Word("pacco")))),
        ("is:any", All()),
        ("+39 347 123 4567", Word("+39 347 123 4567")),
        ("https://example.com/a", Word("https://example.com/a")),
    ],
)
def test_meaning(text: str, node: object) -> None:
    asked = parse(text, READER)

    assert asked.node == node
    assert asked.ignored == ()


def day(year: int, month: int, date: int) -> int:
    return int(datetime(year, month, date, tzinfo=READER.zone).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("on:2026-03-01", day(2026, 3, 1), day(2026, 3, 2)),
        ("il:1/3/2026", day(2026, 3, 1), day(2026, 3, 2)),
        ("on:1.3.26", day(2026, 3, 1), day(2026, 3, 2)),
        ("on:31/12", day(2025, 12, 31), day(2026, 1, 1)),
        ("on:ieri", day(2026, 3, 11), day(2026, 3, 12)),
        ("on:2026-02", day(2026, 2, 1), day(2026, 3, 1)),
        ("on:29/3/2026", day(2026, 3, 29), day(2026, 3, 30)),
        ("prima:2026", None, day(2026, 1, 1)),
        ("after:2026-03-01", day(2026, 3, 1), None),
        ("on:2026-01-05..2026-01-07", day(2026, 1, 5), day(2026, 1, 8)),
        ("on:>2026-01-05", day(2026, 1, 6), None),
    ],
)
def test_dates_are_read_as_readers_write_them(text: str, low: int | None, high: int | None) -> None:
    assert parse(text, READER).node == Range("at", low, high)


def test_american_readers_write_the_month_first() -> None:
    reader = Reader(READER.now, UTC, "en-US")

    assert parse("on:12/31/2025", reader).node == parse("on:2025-12-31", reader).node


@pytest.mark.parametrize(
    "text", ["on:31/02/2026", "before:mai", "last:molto", "on:0000-01-01", "on:9999-12-31", "last:9999y"]
)
def test_what_is_no_date_is_said_and_does_no_harm(text: str) -> None:
    asked = parse(text, READER)

    assert asked.node == EMPTY
    assert len(asked.ignored) == 1
    assert asked.chips[0].ignored


def test_an_unknown_field_is_crossed_out_with_a_suggestion_and_searched_as_words() -> None:
    asked = parse("stat:open pacco", READER)
    chip = asked.chips[0]

    assert (chip.ignored, chip.suggestion, chip.without) == (True, "state:open pacco", "pacco")
    assert "state:" in asked.ignored[0]
    assert asked.node == And((And((Word("stat"), Word("open"))), Word("pacco")))


def test_a_wrong_value_names_the_right_one() -> None:
    chip = parse("state:opne", READER).chips[0]

    assert chip.ignored
    assert chip.suggestion == "state:open"


def test_each_chip_says_what_the_query_is_without_it() -> None:
    chips = parse('pacco -"molto rotto" canale:email (a OR b)', READER).chips

    assert [chip.without for chip in chips] == [
        '-"molto rotto" canale:email (a OR b)',
        "pacco canale:email (a OR b)",
        'pacco -"molto rotto" (a OR b)',
        'pacco -"molto rotto" canale:email (b)',
        'pacco -"molto rotto" canale:email (a)',
    ]


@pytest.mark.parametrize(
    "bomb",
    [
        "(" * 5000,
        "NOT " * 20_000,
        "-" * 3000 + "a",
        " ".join(f"w{number}" for number in range(10_000)),
        "*" + "a" * 1990,
        '"' + "a " * 1200,
        "a~2 " * 400,
        "NEAR/999 " * 200,
        "((((a OR b) OR c) " * 60,
        "state:" + "|".join("open" for _ in range(400)),
    ],
)
def test_a_bomb_is_cut_down_and_said(bomb: str) -> None:
    asked = parse(bomb, READER)

    assert asked.ignored or bomb.startswith(("((((", "state:"))
    assert str(asked.node).count("Word(") <= MOST_TERMS


def test_every_name_of_a_field_is_its_own() -> None:
    names = [name for field in FIELDS for name in (field.name, *field.aliases)]

    assert len(names) == len(set(names))
