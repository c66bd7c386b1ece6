"""Drafts, files, undo, tickets from alerts and mentions, and intake's copy of the tokens."""

from __future__ import annotations

import os
import threading

import pytest

from services.desk.domain.writing import Draft
from services.desk.usecases.acts import Answer, Held
from services.desk.usecases.sessions import person_of_user
from services.desk.usecases.tokens import KeysToIntake
from services.kit.errors import Conflict, Invalid
from services.kit.principal import Person
from tests.desk.fakes import Rig
from tests.kitlib import wait_until

EMAIL = "anna@shop.example"


def anna(rig: Rig, email: str = EMAIL) -> Person:
    rig.password(email, "agent")
    return person_of_user(rig.desk.people.find_by_email(email))


def test_a_draft_is_kept_to_the_last_character_and_belongs_to_its_writer(rig: Rig) -> None:
    draft = Draft("tkt_one", "usr_a", "reply", text="Buongiorno\n", to=("x@y.example",), caret=4, key="k")

    first = rig.desk.writing.save(draft)
    second = rig.desk.writing.save(Draft("tkt_one", "usr_a", "reply", text="Buongiorno Mara,"))

    assert (first.version, second.version) == (1, 2)
    kept = rig.desk.writing.mine("tkt_one", "usr_a", "reply")
    assert kept is not None
    assert kept.text == "Buongiorno Mara,"
    assert rig.desk.writing.mine("tkt_one", "usr_b", "reply") is None
    assert rig.desk.writing.with_mine("usr_a", ["tkt_one", "tkt_two"]) == {"tkt_one"}


def test_an_empty_draft_is_no_draft(rig: Rig) -> None:
    rig.desk.writing.save(Draft("tkt_one", "usr_a", "note", text="x"))
    rig.desk.writing.save(Draft("tkt_one", "usr_a", "note", text="  "))

    assert rig.desk.writing.of_ticket("tkt_one") == []


def test_a_note_tells_colleagues_named_by_address_or_name_who_may_read_the_ticket(rig: Rig) -> None:
    person = anna(rig)
    rig.password("bruno.verdi@shop.example", "agent", name="Bruno Verdi", brand_ids=["brd_shop"])
    rig.password("olga@shop.example", "agent", name="Olga Neri", brand_ids=["brd_other"])
    rig.password("rita@shop.example", "operations", name="Rita Blu")
    bruno = rig.desk.people.find_by_email("bruno.verdi@shop.example").id
    rig.desk.directory.forget()

    def told(text: str) -> list[str]:
        return list(rig.desk.acts.note(person, "tkt_one", text=text).mentioned)

    assert told("@bruno.verdi, guarda. E @Bruno.Verdi!") == [bruno]
    assert told("(@brunoverdi) ci pensi?") == [bruno]
    assert told("@anna @nessuno @olga @rita mail@bruno.verdi @bruno") == []


def test_undo_stops_the_answer_and_gives_the_exact_draft_back(rig: Rig) -> None:
    person = anna(rig)
    file = rig.desk.writing.upload(person.user_id, "tkt_one", name="a.pdf", media_type="application/pdf", data=b"%PDF")
    draft = rig.desk.writing.save(
        Draft("tkt_one", person.user_id, "reply", text="It leaves today.", upload_ids=(file.id,), caret=3, key="k1")
    )

    sent = rig.desk.acts.reply(person, "tkt_one", Answer(text=draft.text, uploads=draft.upload_ids, key=draft.key))
    assert rig.desk.writing.of_ticket("tkt_one") == []
    assert sent.interaction.attachments[0].key == file.blob_key

    assert rig.desk.acts.undo_reply(person, ticket_id="tkt_one", reply_id=sent.interaction.id, draft=draft)
    back = rig.desk.writing.mine("tkt_one", person.user_id, "reply")
    assert back is not None
    assert (back.text, back.upload_ids, back.caret, back.key) == (draft.text, draft.upload_ids, 3, "k1")


def test_an_answer_that_left_cannot_be_undone(rig: Rig) -> None:
    assert not rig.desk.acts.undo_reply(anna(rig), ticket_id="tkt_one", reply_id="int_gone")


def test_an_answer_to_an_unseen_message_is_held_and_keeps_its_draft(rig: Rig) -> None:
    person = anna(rig)
    rig.desk.writing.save(Draft("tkt_one", person.user_id, "reply", text="Yes"))

    with pytest.raises(Held) as held:
        rig.desk.acts.reply(person, "tkt_one", Answer(text="Yes", last_seen="int_older"))

    assert held.value.unseen.interactions[0].text == "Where is my parcel?"
    assert rig.desk.writing.mine("tkt_one", person.user_id, "reply") is not None


def test_an_answer_cannot_carry_somebody_elses_file(rig: Rig) -> None:
    person = anna(rig)
    file = rig.desk.writing.upload("usr_other", "tkt_one", name="a", media_type="x", data=b"1")

    with pytest.raises(Invalid):
        rig.desk.acts.reply(person, "tkt_one", Answer(text="x", uploads=(file.id,)))
    assert rig.world.replies == {}


def test_two_who_take_one_ticket_the_second_is_told(rig: Rig) -> None:
    person = anna(rig)
    rig.desk.acts.take(person, "tkt_one", version=3)

    with pytest.raises(Conflict) as refused:
        rig.desk.acts.take(anna(rig, "b@shop.example"), "tkt_one", version=3)
    assert rig.desk.clients.tickets.current(refused.value.detail).id == "tkt_one"


def test_the_last_twenty_searches_are_kept_and_saved_ones_for_ever(rig: Rig) -> None:
    rig.desk.writing.note_search("usr_a", "is:late", name="Late")
    for number in range(25):
        rig.desk.writing.note_search("usr_a", f"q{number}")
    rig.desk.writing.note_search("usr_a", "q24")

    recent = [search.query for search in rig.desk.writing.searches("usr_a") if not search.name]
    assert len(recent) == len(set(recent)) == 20
    assert "q4" not in recent
    assert [search.name for search in rig.desk.writing.searches("usr_a") if search.name] == ["Late"]
    assert rig.desk.writing.searches("usr_b") == []


def test_intake_gets_all_live_tokens_at_start_and_after_each_change_also_when_it_was_away(rig: Rig) -> None:
    keys = next(worker for worker in rig.service.workers if isinstance(worker, KeysToIntake))
    rig.world.away.add("intake")
    rig.token("contacts:write")
    stop = threading.Event()
    thread = threading.Thread(target=keys.run, args=(stop,))
    thread.start()
    try:
        assert rig.world.pushes == 0
        rig.world.away.clear()
        wait_until(lambda: len(rig.world.access_keys) == 1, 5.0)

        secret = rig.token("admin")  # as the command line does: by the database alone
        wait_until(lambda: len(rig.world.access_keys) == 2, 5.0)

        assert secret.encode() not in b"".join(key.hash for key in rig.world.access_keys)
        rig.desk.people.revoke_token(rig.desk.people.tokens()[0].id, by="")
        wait_until(lambda: [list(key.scopes) for key in rig.world.access_keys] == [["contacts:write"]], 5.0)
    finally:
        stop.set()
        thread.join(5)


def test_files_that_no_row_names_are_swept_after_a_day_and_sent_ones_stay(rig: Rig) -> None:
    person = anna(rig)
    sent = rig.desk.writing.upload(person.user_id, "tkt_one", name="a", media_type="x", data=b"1")
    rig.desk.acts.reply(person, "tkt_one", Answer(text="x", uploads=(sent.id,)))
    rig.desk.blobs.put("desk/upl_crash/0", b"2")
    rig.desk.blobs.put("desk/upl_young/0", b"3")
    for key in (sent.blob_key, "desk/upl_crash/0"):
        os.utime(rig.parts.data / "blobs" / key, (0, 0))

    rig.desk.writing.sweep()

    assert set(rig.desk.blobs.keys("desk/")) == {sent.blob_key, "desk/upl_young/0"}
