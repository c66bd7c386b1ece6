"""A forgotten password: the same answer and work for everybody, a link that works once, and where it leads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from services.desk.pages import build_pages
from services.desk.store import resets
from services.desk.usecases.attempts import Attempts
from services.desk.usecases.people import Changes
from services.desk.usecases.resets import Resets
from services.desk.web import deps
from services.kit.clock import ManualClock
from services.kit.errors import NotFound
from tests.desk import fakes
from tests.desk.browser import Browser

EMAIL, NEW = "anna@shop.example", "four words are easiest"
PUBLIC = "https://desk.shop.example"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[fakes.Rig]:
    clock = ManualClock(datetime.now(UTC))
    with fakes.a_rig(tmp_path, clock=clock, pages=build_pages, public_url=PUBLIC) as made:
        made.password(EMAIL, "agent", name="Anna")
        yield made


@pytest.fixture
def browser(rig: fakes.Rig) -> Iterator[Browser]:
    with Browser(rig.web) as made:
        yield made


def ask(rig: fakes.Rig, email: str = EMAIL) -> str:
    """Asks and lets the loop send; the token of the last mail."""
    rig.desk.resets.ask(email, address="1")
    rig.desk.resets.run_once()
    return token_of(rig)


def token_of(rig: fakes.Rig) -> str:
    found = re.search(r"/login/reset\?token=(\S+)", rig.world.notices[-1].text)
    assert found
    return unquote(found[1])


def three_addresses(rig: fakes.Rig) -> tuple[str, str, str]:
    """Of somebody, of nobody, of somebody disabled."""
    rig.password("gone@shop.example", "agent")
    gone = rig.desk.people.find_by_email("gone@shop.example")
    rig.desk.people.change(gone.id, Changes(disabled=True), version=gone.version, by="")
    return EMAIL, "nobody@shop.example", "gone@shop.example"


class Counting:
    """A database that notes what is asked of it."""

    def __init__(self, database: Any) -> None:
        self._database, self.done = database, list[str]()

    @contextmanager
    def read(self) -> Iterator[Any]:
        with self._database.read() as reader:
            yield _Noted("read", reader, self.done)

    def write(self, function: Any) -> Any:
        return self._database.write(lambda uow: function(_Noted("write", uow, self.done)))


class _Noted:
    def __init__(self, way: str, inner: Any, done: list[str]) -> None:
        self._way, self._inner, self._done = way, inner, done

    def __getattr__(self, name: str) -> Any:
        self._done.append(f"{self._way}: {name}")
        return getattr(self._inner, name)


def test_known_unknown_and_disabled_get_one_answer(rig: fakes.Rig) -> None:
    answers = []
    for email in three_addresses(rig):
        with Browser(rig.web) as browser:
            answers.append(browser.post("/login/reset", data={"email": email}))
        rig.parts.clock.advance(minutes=16)

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert EMAIL not in answers[0].text
    assert rig.world.notices == []  # no mail is sent while the browser waits


def test_asking_is_the_same_work_for_known_unknown_and_disabled(rig: fakes.Rig) -> None:
    work = []
    for email in three_addresses(rig):
        database = Counting(rig.parts.database)
        attempts = Attempts(limit=3, clock=rig.parts.clock)
        asks = Resets(
            database,
            clock=rig.parts.clock,
            keys=rig.parts.keys,
            passwords=None,
            attempts=attempts,
            send=rig.world.notices.append,
        )
        asks.ask(email, address="1")
        work.append(database.done)

    assert work == [["read: row", "write: execute"]] * 3
    assert rig.world.notices == []


def test_only_who_signs_in_here_is_written_to(rig: fakes.Rig) -> None:
    for email in (f" {EMAIL.upper()} ", "nobody@shop.example"):
        rig.desk.resets.ask(email, address="1")

    assert rig.desk.resets.run_once() == 2
    assert rig.desk.resets.run_once() == 0
    assert [notice.to for notice in rig.world.notices] == [EMAIL]


@pytest.mark.parametrize(("language", "word"), [("it", "nuova password"), ("en", "new password")])
def test_the_link_leads_to_the_installations_own_address_whatever_host_was_claimed(
    rig: fakes.Rig, browser: Browser, language: str, word: str
) -> None:
    rig.desk.people.set_preferences(rig.desk.people.find_by_email(EMAIL), {"language": language})
    headers = {"host": "evil.example", "x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}

    browser.post("/login/reset", data={"email": EMAIL}, headers=headers)
    rig.desk.resets.run_once()

    (mail,) = rig.world.notices
    assert re.findall(r"https?://[^/\s]+", mail.text) == [PUBLIC]
    assert "evil" not in mail.text
    assert word in mail.text
    assert mail.language == language


def test_the_link_sets_a_password_once_and_ends_every_session(rig: fakes.Rig, browser: Browser) -> None:
    password = rig.desk.people.reset_password(rig.desk.people.find_by_email(EMAIL).id, by="")
    browser.post("/login", data={"email": EMAIL, "password": password})
    session = browser.cookies[deps.COOKIE]
    token, other = ask(rig), ask(rig)

    with Browser(rig.web) as elsewhere:
        looked = [elsewhere.get("/login/reset", params={"token": token}).status_code for _ in range(3)]
        short = elsewhere.post("/login/reset/new", data={"token": token, "new": "short"})
        done = elsewhere.post("/login/reset/new", data={"token": token, "new": NEW})
        again = elsewhere.post("/login/reset/new", data={"token": token, "new": NEW + "!"})
        sibling = elsewhere.get("/login/reset", params={"token": other})
        signed = elsewhere.post("/login", data={"email": EMAIL, "password": NEW, "next": "/profile"})

    assert looked == [200] * 3  # a scanner of mail that follows links uses nothing up
    assert short.status_code == 422
    assert (done.status_code, done.headers["location"]) == (303, "/login?was=reset")
    assert (again.status_code, sibling.status_code) == (410, 410)
    assert rig.desk.sessions.find(session) is None
    assert (signed.status_code, signed.headers["location"]) == (303, "/profile")  # nothing to change any more
    assert rig.desk.people.audit()[1].act == "password_reset_by_mail"


@pytest.mark.parametrize("change", ["late", "forged", "other", "changed", "disabled", "empty"])
def test_a_link_that_is_too_old_forged_or_overtaken_opens_nothing(
    rig: fakes.Rig, browser: Browser, change: str
) -> None:
    token, user = ask(rig), rig.desk.people.find_by_email(EMAIL)
    if change == "late":
        rig.parts.clock.advance(hours=1)
    elif change == "forged":
        token = token[:-4] + "AAAA"
    elif change == "other":
        token = f"rst_other.{token.partition('.')[2]}"
    elif change == "changed":
        rig.desk.people.reset_password(user.id, by="")
    elif change == "disabled":
        rig.desk.people.change(user.id, Changes(disabled=True), version=user.version, by="")
    else:
        token = "."

    seen = browser.get("/login/reset", params={"token": token})
    used = browser.post("/login/reset/new", data={"token": token, "new": NEW})

    assert (seen.status_code, used.status_code) == (410, 410)


def test_nobodys_request_has_no_link(rig: fakes.Rig) -> None:
    rig.desk.resets.ask("nobody@shop.example", address="1")

    with rig.parts.database.read() as reader:
        (row,) = resets.due(reader, rig.parts.clock.now())
    with pytest.raises(NotFound):
        rig.desk.resets.check(rig.desk.resets._token(row.id))


def test_asking_is_limited_per_account_and_per_address_alike_for_unknown_ones(rig: fakes.Rig) -> None:
    statuses = {}
    for email in (EMAIL, "nobody@shop.example"):
        with Browser(rig.web) as browser:
            statuses[email] = [browser.post("/login/reset", data={"email": email}).status_code for _ in range(4)]
            other = browser.post("/login/reset", data={"email": f"another-{email}"})
        assert other.status_code == 429
        rig.parts.clock.advance(minutes=16)

    assert statuses[EMAIL] == statuses["nobody@shop.example"] == [200, 200, 200, 429]


def test_a_mail_server_that_is_away_is_tried_again_with_the_same_link_until_the_hour_is_over(rig: fakes.Rig) -> None:
    clock = rig.parts.clock
    rig.world.away.add("intake")
    rig.desk.resets.ask(EMAIL, address="1")
    rig.desk.resets.run_once()
    at_once = rig.desk.resets.run_once()
    rig.world.away.clear()
    clock.advance(seconds=6)
    rig.desk.resets.run_once()

    assert at_once == 0
    assert len(rig.world.notices) == 1
    assert rig.desk.resets.check(token_of(rig)).email == EMAIL
    clock.advance(hours=1)
    assert rig.desk.resets.prune() == 1


@pytest.mark.parametrize("language", ["it", "en"])
def test_where_no_mail_can_be_sent_the_page_says_whom_to_ask(rig: fakes.Rig, browser: Browser, language: str) -> None:
    rig.world.can_send = False
    headers = {"accept-language": language}

    pages = [
        browser.get("/login/reset", headers=headers),
        browser.post("/login/reset", data={"email": EMAIL}, headers=headers),
    ]

    for page in pages:
        assert "ascolto user password" in page.text
        assert ("amministra" if language == "it" else "administrator") in page.text
        assert "<form" not in page.text


def test_another_site_cannot_ask_for_a_link(browser: Browser) -> None:
    for path in ("/login/reset", "/login/reset/new", "/login/code"):
        assert browser.post(path, data={"email": EMAIL}, headers={"origin": "http://evil.example"}).status_code == 403
