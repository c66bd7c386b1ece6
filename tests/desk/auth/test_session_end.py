"""When a session ends by itself, what puts that off, and how it is said ahead."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.desk.domain.people import Session
from services.kit.clock import ManualClock
from tests.desk import fakes
from tests.desk.auth.test_sessions import Pages, signed_in


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[fakes.Rig]:
    with fakes.a_rig(tmp_path, clock=ManualClock(datetime.now(UTC)), pages=Pages) as made:
        yield made


def test_what_a_page_asks_by_itself_does_not_put_the_end_off(rig: fakes.Rig) -> None:
    browser, csrf = signed_in(rig)
    clock = rig.parts.clock
    with browser:
        for _ in range(2):
            clock.advance(minutes=14)
            assert browser.get("/inbox", headers={"x-background": "refresh"}).status_code == 200
            assert browser.post("/presence/tkt_one", data={"doing": "looking", "csrf": csrf}).status_code == 204
        clock.advance(minutes=2)

        assert browser.get("/inbox").status_code == 303


def test_a_session_says_why_it_ends_two_minutes_ahead() -> None:
    begun = datetime(2026, 3, 12, 9, tzinfo=UTC)
    session = Session("ses_1", "usr_1", "csrf", begun_at=begun, seen_at=begun)
    busy = dataclasses.replace(session, seen_at=begun + timedelta(hours=11, minutes=57))

    assert [session.ends(begun + timedelta(minutes=minutes)) for minutes in (27, 28)] == ["", "idle"]
    assert [busy.ends(begun + timedelta(minutes=minutes)) for minutes in (717, 718)] == ["", "absolute"]
