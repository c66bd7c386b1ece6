"""Rules on plain values: the promise clock, the length of a post, tags, canned answers, the state machine."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.kit.errors import Invalid
from services.tickets.domain import canned
from services.tickets.domain.acknowledgement_texts import LANGUAGES, compose, language_of
from services.tickets.domain.answer import personal_data, weighted_length
from services.tickets.domain.brand import Brand
from services.tickets.domain.contact import Capabilities
from services.tickets.domain.hours import Hours, Opening, due_us, is_open
from services.tickets.domain.ticket import ACTIVE, NEVER, Change, State, Ticket, apply, clashes, set_state

WEEK = Hours(
    "Europe/Rome",
    (*(Opening(day, 9 * 60, 18 * 60) for day in range(5)), Opening(5, 9 * 60, 13 * 60)),
    frozenset({"2026-12-25", "2026-12-08"}),
)


def us(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("start", "minutes", "due"),
    [
        ((2026, 3, 12, 9, 0), 60, (2026, 3, 12, 10, 0)),  # Thursday 10:00 in Rome
        ((2026, 3, 12, 16, 30), 60, (2026, 3, 13, 8, 30)),  # half an hour left today
        ((2026, 3, 14, 20, 0), 30, (2026, 3, 16, 8, 30)),  # Saturday night to Monday
        ((2026, 3, 28, 11, 0), 120, (2026, 3, 30, 8, 0)),  # over the change to summer time
        ((2026, 12, 24, 16, 30), 60, (2026, 12, 26, 8, 30)),  # Christmas is closed, the 26th a Saturday
        ((2026, 3, 12, 16, 0), 60, (2026, 3, 12, 17, 0)),  # exactly at closing time
    ],
)
def test_the_promise_counts_only_open_minutes(start: tuple[int, ...], minutes: int, due: tuple[int, ...]) -> None:
    assert due_us(WEEK, us(*start), minutes) == us(*due)


@given(
    st.integers(us(2026, 1, 1), us(2027, 6, 1)),
    st.integers(0, 40 * 86_400_000_000),
    st.integers(0, 3000),
    st.lists(st.builds(Opening, st.integers(0, 6), st.integers(0, 1439), st.integers(1, 1440)), max_size=8),
)
@settings(max_examples=150, deadline=None)
def test_the_promise_never_falls_when_the_start_rises(
    start: int, later: int, minutes: int, openings: list[Opening]
) -> None:
    hours = Hours("Europe/Rome", tuple(openings), frozenset({"2026-12-25"}))

    first, second = due_us(hours, start, minutes), due_us(hours, start + later, minutes)

    assert start <= first <= second
    assert due_us(hours, start, minutes + 1) >= first


def test_opening_hours_know_holidays() -> None:
    assert is_open(WEEK, us(2026, 3, 12, 9, 0))
    assert not is_open(WEEK, us(2026, 12, 8, 9, 0))
    assert not is_open(WEEK, us(2026, 3, 15, 9, 0))


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("ciao", 4),
        ("https://shop.example/" + "x" * 99, 23),
        ("日本", 4),
        ("😀", 2),
        ("👩‍👩‍👧", 2),
        ("👍🏽", 2),
        ("è", 1),
    ],
)
def test_a_post_is_as_long_as_its_platform_says(text: str, length: int) -> None:
    assert weighted_length(text) == length


@pytest.mark.parametrize(
    "text", ["Grazie per averci scritto!", "Dal 2019 al 2026, sconto 20%", "https://shop.example/12345678"]
)
def test_harmless_public_texts_are_not_held(text: str) -> None:
    assert personal_data(text) == ""


def test_every_language_and_form_says_number_hours_and_brand() -> None:
    for language in LANGUAGES:
        for formal in (True, False):
            brand = Brand("b", name="Bottega", formal=formal, hours=WEEK)
            subject, text = compose(brand, language=language, number=10001, name="Carla")
            assert "10001" in subject
            for part in ("10001", "09:00–18:00", "Bottega", "Carla"):
                assert part in text
    assert compose(Brand("b"), language="it", number=1, name="x http://a.example")[1].count("http") == 0
    assert language_of("xx", Brand("b", language="de")) == "de"
    assert language_of("xx", Brand("b", language="yy")) == "en"


def test_the_two_italian_forms_do_not_mix() -> None:
    formal = compose(Brand("b", formal=True), language="it", number=1, name="")[1]
    familiar = compose(Brand("b", formal=False), language="it", number=1, name="")[1]
    assert "Sua richiesta" in formal
    assert "tua richiesta" in familiar


def ticket(**given: object) -> Ticket:
    on = Ticket("t", 1, "b", "a", "email", "c", "s", State.NEW, "cus", 1, Capabilities(), promise_us=50, due_us=50)
    for name, value in given.items():
        setattr(on, name, value)
    return on


@given(st.lists(st.sampled_from([s for s in State if s not in (State.NEW, State.CLOSED)]), max_size=12))
def test_the_state_machine_keeps_its_times_true(states: list[State]) -> None:
    on = ticket()
    for state in states:
        try:
            set_state(on, state, now_us=10, close_after_us=7)
        except Invalid:
            continue
        assert (on.solved_us > 0) == (on.state is State.SOLVED)
        assert (on.close_us > 0) == (on.state is State.SOLVED)
        assert (on.due_us != NEVER) == (on.state in ACTIVE)


def test_only_the_same_field_clashes() -> None:
    on = ticket(version=5, fields={"assignee": 5})

    assert clashes(on, Change(assignee="usr_b"), seen=4) == ["assignee"]
    assert clashes(on, Change(assignee=""), seen=4) == []
    assert clashes(on, Change(tags=("x",)), seen=4) == []
    assert clashes(on, Change(assignee="usr_b"), seen=5) == []
    assert clashes(on, Change(assignee="usr_b"), seen=0) == []


def test_a_change_that_changes_nothing_keeps_the_version() -> None:
    on = ticket(version=5, tags=("a",))

    assert apply(on, Change(tags=("A ",), priority=2), now_us=1, close_after_us=1) == []
    assert on.version == 5


def test_a_closed_ticket_stays_closed() -> None:
    with pytest.raises(Invalid):
        set_state(ticket(state=State.CLOSED), State.OPEN, now_us=1, close_after_us=1)


def test_a_variable_without_a_value_stays_and_is_named() -> None:
    text, missing = canned.fill("Ciao {{customer.name}}, {{ order.number }}", {"customer.name": "Carla"})

    assert text == "Ciao Carla, {{ order.number }}"
    assert missing == ["order.number"]


def test_an_unknown_variable_is_refused() -> None:
    with pytest.raises(Invalid, match="shoe"):
        canned.check("t", "", {"it": "{{customer.shoe}}"})
