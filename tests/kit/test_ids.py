"""Ids: unique, sorted by when they were made, and they tell it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from services.kit.ids import first_at, made_at, new_id, new_ids


def test_ids_of_one_process_are_unique_and_sorted() -> None:
    made = [new_id("tkt") for _ in range(5000)]

    assert made == sorted(set(made))
    assert all(len(item) == len("tkt_") + 26 for item in made)
    with ThreadPoolExecutor(4) as pool:
        assert (
            len({item for batch in pool.map(lambda _: [new_id("x") for _ in range(2000)], range(4)) for item in batch})
            == 8000
        )


def test_an_id_tells_when_it_was_made() -> None:
    before = datetime.now(UTC)
    made = new_id("evt")

    assert abs(made_at(made) - before) < timedelta(seconds=5)
    assert made_at("evt_1") == made_at("") == made_at("evt_" + "é" * 26) == datetime.fromtimestamp(0, UTC)
    assert made_at("evt_" + "z" * 26).year == 9999


def test_the_first_id_of_a_moment_bounds_those_made_before_and_after() -> None:
    moment = datetime.now(UTC)

    assert (
        first_at("evt", moment - timedelta(seconds=10))
        < new_id("evt")
        < first_at("evt", moment + timedelta(seconds=10))
    )
    assert made_at(first_at("evt", datetime(2026, 3, 12, tzinfo=UTC))) == datetime(2026, 3, 12, tzinfo=UTC)


def test_ids_made_together_are_like_ids_made_one_by_one() -> None:
    before = new_id("evt")
    made = new_ids("evt", 1000)
    after = new_id("evt")

    assert new_ids("evt", 0) == []
    assert sorted({before, *made, after}) == [before, *made, after]
    assert abs(made_at(made[-1]) - datetime.now(UTC)) < timedelta(seconds=5)
