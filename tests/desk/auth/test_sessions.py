"""Signing in, sessions and their end, and what a browser from elsewhere cannot do (scenarios 29 to 31)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, Response
from starlette.requests import Request

from services.desk.domain.people import Preferences
from services.desk.usecases.people import Changes
from services.desk.web import deps
from services.kit.clock import ManualClock
from services.kit.db.sql import Sql
from services.kit.errors import Conflict, Invalid, NotFound, RateLimited, Unauthenticated
from tests.desk import fakes
from tests.desk.browser import Browser

EMAIL = "anna@shop.example"
_SESSIONS = Sql("SELECT * FROM sessions")


class Pages:
    """Two pages, enough to sign in and act."""

    def __init__(self, _desk: object) -> None:
        self.router = APIRouter()
        self.router.add_api_route("/login", self.login, methods=["POST"], dependencies=[deps.needs(deps.PUBLIC)])
        self.router.add_api_route("/act", self.act, methods=["POST"], dependencies=[deps.needs("tickets:write")])
        self.router.add_api_route("/users", self.act, methods=["GET"], dependencies=[deps.needs("users")])
        self.router.add_api_route("/inbox", self.act, methods=["GET"], dependencies=[deps.needs("tickets:read")])

    async def login(self, request: Request, form: deps.Form) -> Response:
        new = await deps.sign_in(request, str(form["email"]), str(form["password"]))
        response = Response(new.signed_in.csrf)
        deps.set_session(request, response, new)
        return response

    def act(self, me: deps.Me) -> Response:
        return Response(me.person.user_id)

    def error(self, _request: Request, error: Exception, _trace: str) -> Response:
        return Response(f"<p>{error}</p>", media_type="text/html")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[fakes.Rig]:
    with fakes.a_rig(tmp_path, clock=ManualClock(datetime.now(UTC)), pages=Pages) as made:
        yield made


def signed_in(rig: fakes.Rig, *roles: str, email: str = EMAIL) -> tuple[Browser, str]:
    password = rig.password(email, *(roles or ("agent",)))
    browser = Browser(rig.web)
    answer = browser.post("/login", data={"email": email, "password": password})
    assert answer.status_code == 200, answer.text
    return browser, answer.text


def test_signing_in_gives_an_opaque_cookie_that_scripts_and_other_sites_cannot_use(rig: fakes.Rig) -> None:
    password = rig.password(EMAIL, "agent")

    with Browser(rig.web) as browser:
        answer = browser.post("/login", data={"email": f" {EMAIL.upper()} ", "password": password})
        cookie = answer.headers["set-cookie"]

        assert {"HttpOnly", "SameSite=lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
        assert "Secure" not in cookie
        assert browser.get("/inbox").status_code == 200
    secret = cookie.partition("=")[2].partition(";")[0]
    with rig.parts.database.read() as reader:
        kept = repr(reader.rows(_SESSIONS))
    assert "usr_" in kept
    assert secret not in kept


def test_the_cookie_is_secure_where_the_desk_is_reached_by_https(tmp_path: Path) -> None:
    with fakes.a_rig(tmp_path, pages=Pages, public_url="https://desk.example") as rig:
        password = rig.password(EMAIL, "agent")
        with Browser(rig.web) as browser:
            answer = browser.post("/login", data={"email": EMAIL, "password": password})

    assert "Secure" in answer.headers["set-cookie"]
    assert answer.headers["strict-transport-security"]


def test_signing_in_again_ends_the_session_the_browser_had(rig: fakes.Rig) -> None:
    browser, _ = signed_in(rig)
    with browser:
        former = browser.cookies[deps.COOKIE]
        password = rig.desk.people.reset_password(rig.desk.people.find_by_email(EMAIL).id, by="")
        browser.post("/login", data={"email": EMAIL, "password": password})

        assert browser.cookies[deps.COOKIE] != former
        assert rig.desk.sessions.find(former) is None


def test_a_wrong_password_an_unknown_and_a_disabled_person_get_the_same_words(rig: fakes.Rig) -> None:
    rig.password(EMAIL, "agent")
    gone = rig.password("gone@shop.example", "agent")
    user = rig.desk.people.find_by_email("gone@shop.example")
    rig.desk.people.change(user.id, Changes(disabled=True), version=user.version, by="")

    with Browser(rig.web) as browser:
        tries = [(EMAIL, "wrong"), ("nobody@shop.example", "wrong"), ("gone@shop.example", gone)]
        answers = [browser.post("/login", data={"email": e, "password": p}) for e, p in tries]

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1


def test_an_unknown_person_costs_as_much_work_as_a_wrong_password(rig: fakes.Rig) -> None:
    rig.password(EMAIL, "agent")

    def least_s(email: str) -> float:
        took = []
        for number in range(7):
            rig.desk.sessions._attempts.succeed(f"account:{email}", f"address:{number}")
            begun = time.process_time()
            with pytest.raises(Unauthenticated):
                asyncio.run(rig.desk.sessions.sign_in(email, "wrong", address=str(number)))
            took.append(time.process_time() - begun)
        return min(took)

    known, unknown = least_s(EMAIL), least_s("nobody@shop.example")
    assert unknown > known * 0.5, (known, unknown)  # without the spent hash it is a hundredth


def test_guessing_is_stopped_before_anything_is_hashed_and_the_wait_doubles(rig: fakes.Rig) -> None:
    clock = rig.parts.clock
    rig.password(EMAIL, "agent")
    with Browser(rig.web) as browser:

        def guess() -> tuple[int, int]:
            answer = browser.post("/login", data={"email": EMAIL, "password": "wrong"})
            return answer.status_code, int(answer.headers.get("retry-after", 0))

        first = [guess()[0] for _ in range(10)]
        blocked = guess()
        clock.advance(seconds=1.1)
        eleventh, then = guess(), guess()

    assert set(first) == {401}
    assert blocked[0] == 429
    assert (eleventh[0], then[0]) == (401, 429)
    assert then[1] >= blocked[1]


def test_the_right_password_does_not_open_a_blocked_account_from_the_blocked_address(rig: fakes.Rig) -> None:
    password = rig.password(EMAIL, "agent")
    for _ in range(10):
        with pytest.raises(Unauthenticated):
            asyncio.run(rig.desk.sessions.sign_in(EMAIL, "wrong", address="1"))

    with pytest.raises(RateLimited) as refused:
        asyncio.run(rig.desk.sessions.sign_in(EMAIL, password, address="1"))
    assert refused.value.retry_after_s > 0


def test_a_thousand_attempts_are_mostly_refused_unhashed_and_leave_the_event_loop_free(
    rig: fakes.Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stuffing: stolen pairs, each of another account, from twenty addresses."""
    rig.password(EMAIL, "agent")
    busy: list[float] = []
    hashed = 0
    verify = rig.desk.sessions._passwords._verify

    def counted(*args: Any) -> Any:
        nonlocal hashed
        hashed += 1
        return verify(*args)

    monkeypatch.setattr(rig.desk.sessions._passwords, "_verify", counted)

    async def attempt(number: int) -> type[Exception]:
        try:
            await rig.desk.sessions.sign_in(f"p{number}@shop.example", "wrong", address=str(number % 20))
        except (Unauthenticated, RateLimited) as refused:
            return type(refused)
        raise AssertionError("it was let in")

    async def watch(done: asyncio.Event) -> None:
        while not done.is_set():
            begun = time.thread_time()  # of the loop's own thread: what others take of the machine does not count
            await asyncio.sleep(0.005)  # sleep: ticks of the loop, which is what is measured
            busy.append(time.thread_time() - begun)

    async def storm() -> list[type[Exception]]:
        done = asyncio.Event()
        watcher = asyncio.create_task(watch(done))
        said: list[type[Exception]] = []
        for start in range(0, 1000, 100):
            said += await asyncio.gather(*(attempt(number) for number in range(start, start + 100)))
        done.set()
        await watcher
        return said

    said = asyncio.run(storm())

    assert len(said) == 1000
    assert said.count(RateLimited) >= 800
    assert hashed <= 20 * 10
    assert sorted(busy)[int(len(busy) * 0.99)] <= 0.05  # one hash takes 25 ms, and a hundred stood in line


def test_a_session_ends_when_idle_for_half_an_hour_and_after_twelve_in_any_case(rig: fakes.Rig) -> None:
    browser, _ = signed_in(rig)
    clock = rig.parts.clock
    with browser:
        for _ in range(24):
            clock.advance(minutes=29)
            assert browser.get("/inbox").status_code == 200
        clock.advance(minutes=29)
        assert browser.get("/inbox").status_code == 303

    other, _ = signed_in(rig, email="b@shop.example")
    with other:
        clock.advance(minutes=31)
        answer = other.get("/inbox?view=mine")
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Finbox%3Fview%3Dmine")


def test_a_disabled_person_and_a_changed_role_are_felt_at_once(rig: fakes.Rig) -> None:
    browser, csrf = signed_in(rig, "supervisor")
    users = rig.desk.people
    with browser:
        user = users.find_by_email(EMAIL)
        users.change(user.id, Changes(roles=("operations",)), version=user.version, by="")
        assert browser.post("/act", data={"csrf": csrf}).status_code == 403

        user = users.find_by_email(EMAIL)
        users.change(user.id, Changes(disabled=True), version=user.version, by="")
        assert browser.get("/inbox").status_code == 303


def test_a_change_without_the_forms_token_is_refused(rig: fakes.Rig) -> None:
    browser, csrf = signed_in(rig)
    other, foreign = signed_in(rig, email="b@shop.example")
    with browser, other:
        assert browser.post("/act", data={}).status_code == 403
        assert browser.post("/act", data={"csrf": foreign}).status_code == 403
        assert browser.post("/act", data={"csrf": csrf}).status_code == 200
        assert browser.post("/act", headers={"x-csrf-token": csrf}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://desk.test:81"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_change_from_another_site_is_refused_even_with_the_token(rig: fakes.Rig, headers: dict[str, str]) -> None:
    browser, csrf = signed_in(rig)
    with browser:
        assert browser.post("/act", data={"csrf": csrf}, headers=headers).status_code == 403
        own = {"origin": "http://desk.test", "sec-fetch-site": "same-origin"}
        assert browser.post("/act", data={"csrf": csrf}, headers=own).status_code == 200


def test_no_answer_can_be_framed_or_read_by_another_site(rig: fakes.Rig) -> None:
    browser, _ = signed_in(rig)
    with browser, rig.client() as api:
        answers = [
            browser.get("/inbox", headers={"origin": "http://evil.example"}),
            browser.get("/none"),
            api.get("/api/v1/tickets"),
        ]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers


def test_a_session_may_use_the_api_but_changes_need_its_token(rig: fakes.Rig) -> None:
    browser, csrf = signed_in(rig)
    with browser, rig.client() as api:
        api.cookies.set(deps.COOKIE, browser.cookies[deps.COOKIE])
        note = ("/api/v1/tickets/tkt_one/notes", {"text": "x"})

        assert api.get("/api/v1/tickets").status_code == 200
        assert api.post(note[0], json=note[1]).status_code == 403
        assert api.post(note[0], json=note[1], headers={"x-csrf-token": csrf}).status_code == 201
        assert api.get("/api/v1/operations/health").status_code == 403


def test_a_role_opens_only_its_own_pages(rig: fakes.Rig) -> None:
    admin, _ = signed_in(rig, "admin")
    agent, _ = signed_in(rig, email="b@shop.example")
    with admin, agent:
        assert admin.get("/users").status_code == 200
        assert agent.get("/users").status_code == 403


def test_the_last_administrator_cannot_go(rig: fakes.Rig) -> None:
    rig.password(EMAIL, "admin")
    user = rig.desk.people.find_by_email(EMAIL)

    for changes in (Changes(disabled=True), Changes(roles=("agent",))):
        with pytest.raises(Conflict):
            rig.desk.people.change(user.id, changes, version=user.version, by="")


def test_a_new_password_ends_the_other_sessions_and_must_differ(rig: fakes.Rig) -> None:
    user, password = rig.desk.people.create(email=EMAIL, name="Anna", roles_=["agent"])
    other, _ = Browser(rig.web), None
    with other, Browser(rig.web) as browser:
        for one in (other, browser):
            one.post("/login", data={"email": EMAIL, "password": password})
        assert browser.get("/inbox").headers["location"] == "/profile?change=1"
        mine = rig.desk.sessions.find(browser.cookies[deps.COOKIE])
        assert mine is not None

        with pytest.raises(Unauthenticated):
            rig.desk.people.change_password(user, old="wrong", new="a long new password")
        for bad in ("short", EMAIL, password):
            with pytest.raises(Invalid):
                rig.desk.people.change_password(user, old=password, new=bad)
        rig.desk.people.change_password(user, old=password, new="a long new password", session_id=mine.session.id)

        assert browser.get("/inbox").status_code == 200
        assert other.get("/inbox").status_code == 303


def test_preferences_are_checked_and_kept(rig: fakes.Rig) -> None:
    rig.password(EMAIL, "agent")
    user = rig.desk.people.find_by_email(EMAIL)

    rig.desk.people.set_preferences(user, {"theme": "dark", "keys": {"reply": "y"}, "undo_s": 30})

    assert rig.desk.people.get(user.id).preferences == Preferences(theme="dark", keys={"reply": "y"}, undo_s=30)
    for wrong in ({"theme": "pink"}, {"undo_s": 31}, {"roles": ["admin"]}, {"keys": {"a": "x", "b": "x"}}):
        with pytest.raises(Invalid) as refused:
            rig.desk.people.set_preferences(user, wrong)
        assert refused.value.field == next(iter(wrong))


def test_acts_on_people_and_tokens_are_in_the_audit_log_without_secrets(rig: fakes.Rig) -> None:
    password = rig.password(EMAIL, "agent")
    secret = rig.token("admin")
    browser, _ = signed_in(rig, email="b@shop.example")
    browser.__exit__()

    entries = rig.desk.people.audit()

    assert [entry.act for entry in entries] == ["signed_in", "user_created", "token_created", "user_created"]
    assert not any(text in f"{entry}" for entry in entries for text in (password, secret, EMAIL))


def test_a_sealed_value_is_refused_when_forged_or_of_another_session(rig: fakes.Rig) -> None:
    sealed = deps.seal(rig.desk, "undo", {"state": "open"}, session="ses_1")

    assert deps.unseal(rig.desk, "undo", sealed, session="ses_1") == {"state": "open"}
    for purpose, text, session in (
        ("undo", sealed, "ses_2"),
        ("notice", sealed, "ses_1"),
        ("undo", sealed[:-4] + "AAAA", "ses_1"),
        ("undo", "é", "ses_1"),
        ("undo", "", "ses_1"),
    ):
        with pytest.raises(Invalid):
            deps.unseal(rig.desk, purpose, text, session=session)


@pytest.mark.parametrize("wanted", ["//evil.example", "http://evil.example", "/\\evil.example", "", "/a\nb"])
def test_signing_in_leads_nowhere_else(wanted: str) -> None:
    assert deps.next_address(wanted) == "/"


def test_revoking_an_unknown_token_says_so(rig: fakes.Rig) -> None:
    with pytest.raises(NotFound):
        rig.desk.people.revoke_token("tok_none", by="")
