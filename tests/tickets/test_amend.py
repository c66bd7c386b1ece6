"""Edits, deletions, reactions and deliveries in any order, any number of times: one outcome."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ascolto.intake.v1.events_pb2 import DeliveryChanged
from services.kit.clock import ManualClock
from tests import kitlib
from tests.tickets.world import World, amended, chat, contact, news


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its schema, to be copied: migrating one for each example takes most of the time."""
    folder = tmp_path_factory.mktemp("template")
    kitlib.make_database(folder, "tickets").close()
    return folder / "tickets.db"


@contextmanager
def fresh_world(template: Path, clock: ManualClock) -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder:
        if template.exists():
            shutil.copy(template, Path(folder) / "tickets.db")
        database = kitlib.make_database(Path(folder), "tickets", clock=clock)
        try:
            yield World(database, clock)
        finally:
            database.close()
            kitlib.forget_databases(Path(folder))


def outcome(
    template: Path, clock: ManualClock, steps: Sequence[Any], *, cuts: set[int] | None = None
) -> tuple[Any, ...]:
    """What is on the ticket after these steps in a database of their own, in one batch or cut into several."""
    with fresh_world(template, clock) as world:
        batch: list[Any] = []
        for place, step in enumerate(steps):
            if batch and cuts and place in cuts:
                world.take(*batch)
                batch = []
            batch.append(step)
        world.take(*batch)
        whole = world.whole()
        seen = [
            (one.text, one.text_before, one.deleted, one.edited_at.seconds, dict(one.event_data), one.html.inline)
            for one in world.thread()
        ]
        return whole.ticket.state, whole.ticket.excerpt, len(world.ids()), seen


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_contact_and_amendments_converge_in_any_order_and_twice(template: Path, data: st.DataObject) -> None:
    clock = ManualClock()
    one = chat(clock, text="originale", external_id="m1")
    steps = [
        one,
        amended(one, "edited", "primo", 10),
        amended(one, "edited", "secondo", 20),
        amended(one, "reaction", "👍", 15),
    ]
    if data.draw(st.booleans(), label="deleted"):
        steps.append(amended(one, "deleted", at_s=5))
    expected = outcome(template, clock, steps)

    order = data.draw(st.permutations(steps + data.draw(st.lists(st.sampled_from(steps), max_size=4))))
    cuts = data.draw(st.sets(st.integers(1, len(order))))

    assert outcome(template, clock, order, cuts=cuts) == expected


@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_replaying_any_prefix_changes_nothing(template: Path, data: st.DataObject) -> None:
    clock = ManualClock()
    first = contact(clock)
    steps: list[Any] = [first, contact(clock, ancestors=[first.message_id], text="altro"), chat(clock)]
    steps += [amended(first, "edited", "corretto", 3)]
    expected = outcome(template, clock, steps)
    length = data.draw(st.integers(0, len(steps)))

    assert outcome(template, clock, steps + steps[:length], cuts={len(steps)}) == expected


@given(order=st.permutations([(2, 1), (3, 2), (4, 3), (5, 4)]))
@settings(max_examples=12, deadline=None)
def test_deliveries_converge_in_any_order(template: Path, order: list[tuple[int, int]]) -> None:
    clock = ManualClock()
    with fresh_world(template, clock) as world:
        world.take(contact(clock))
        world.reply()
        reply_id = world.thread()[-1].id

        told: list[DeliveryChanged] = [news(reply_id, state, rev) for state, rev in order]
        for one in [*told, *told]:
            world.hear(one)

        assert world.thread()[-1].delivery == 5


def test_a_parked_deletion_wins_over_a_late_contact(world: World, clock: ManualClock) -> None:
    one = chat(clock, text="da togliere", external_id="m9")
    world.take(amended(one, "deleted"))
    assert not world.ids()

    world.take(one)

    assert world.thread()[0].deleted
    assert world.thread()[0].text == ""
    assert world.whole().ticket.excerpt == ""
    assert world.rows("SELECT COUNT(*) FROM parked_amendments") == [(0,)]


def test_what_was_said_before_an_edit_can_be_seen(world: World, clock: ManualClock) -> None:
    one = chat(clock, text="prima", external_id="m2")

    world.take(one, amended(one, "edited", "dopo", 10))

    assert (world.thread()[0].text, world.thread()[0].text_before) == ("dopo", "prima")
    assert [one.interaction.text for one in world.events("InteractionChanged")] == ["dopo"]


def test_deleting_leaves_nothing_of_the_words(world: World, clock: ManualClock) -> None:
    one = chat(clock, text="parola-segreta", external_id="m3", quoted_text="parola-segreta")
    world.take(one, amended(one, "edited", "parola-segreta due", 10), amended(one, "deleted"))

    (row,) = world.rows("SELECT data FROM interactions")

    assert b"parola-segreta" not in row[0]
