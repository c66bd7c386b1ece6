"""The second factor: codes taken once, asked for between password and desk, recovery codes, and its end."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import segno

from services.desk import commands
from services.desk.domain import totp
from services.desk.pages import build_pages
from services.desk.usecases.people import Changes
from services.desk.web import deps
from services.kit.clock import ManualClock
from services.kit.errors import Conflict, NotFound, RateLimited, Unauthenticated
from tests.desk import fakes
from tests.desk.browser import Browser

EMAIL = "anna@shop.example"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[fakes.Rig]:
    with fakes.a_rig(tmp_path, clock=ManualClock(datetime.now(UTC)), pages=build_pages) as made:
        yield made


class Person:
    """Somebody with a browser and, once switched on, an authenticator application."""

    def __init__(self, rig: fakes.Rig, *roles: str, email: str = EMAIL) -> None:
        self.rig, self.email = rig, email
        self.password = rig.password(email, *(roles or ("agent",)))
        self.browser = Browser(rig.web)
        self.secret, self.codes = "", list[str]()

    @property
    def user(self):
        return self.rig.desk.people.find_by_email(self.email)

    def code(self, steps: int = 0) -> str:
        return totp.code_at(self.secret, totp.step_of(self.rig.parts.clock.now()) + steps)

    def switch_on(self) -> None:
        """By the use cases; the code used is spent, so half a minute passes."""
        self.rig.desk.factors.begin(self.user, self.password)
        self.secret = self.rig.desk.factors.of(self.user.id).secret
        self.codes = self.rig.desk.factors.confirm(self.user, self.code())
        self.rig.parts.clock.advance(seconds=totp.STEP_S)

    def give_password(self, after: str = "/profile"):
        return self.browser.post("/login", data={"email": self.email, "password": self.password, "next": after})

    def give_code(self, code: str):
        return self.browser.post("/login/code", data={"code": code})

    def inside(self) -> bool:
        return bool(self.browser.get("/profile").status_code == 200)

    def post(self, path: str, **data: str):
        page = self.browser.get("/profile").text
        found = re.search(r'<meta name="csrf" content="([^"]+)">', page)
        assert found
        return self.browser.post(path, data={"csrf": found[1], **data})


@pytest.fixture
def anna(rig: fakes.Rig) -> Iterator[Person]:
    person = Person(rig)
    with person.browser:
        yield person


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037"), (20000000000, "353130")],
)  # fmt: skip
def test_codes_are_those_of_rfc_6238_appendix_b(seconds: int, code: str) -> None:
    secret = totp.secret_of(b"12345678901234567890")
    now = datetime.fromtimestamp(seconds, UTC)

    assert totp.code_at(secret, totp.step_of(now)) == code
    assert totp.matching_step(secret, code, now) == seconds // 30


def test_a_code_counts_one_step_early_and_late_and_no_further() -> None:
    secret, now = totp.secret_of(b"12345678901234567890"), datetime.fromtimestamp(1111111109, UTC)
    here = totp.step_of(now)

    found = [totp.matching_step(secret, totp.code_at(secret, here + n), now) for n in (-2, -1, 0, 1, 2)]

    assert found == [None, here - 1, here, here + 1, None]
    assert totp.matching_step(secret, "", now) is None
    assert totp.matching_step(secret, "٠٨١٨٠٤", now) is None


def test_the_profile_switches_it_on_and_shows_the_codes_once(anna: Person) -> None:
    anna.give_password()
    begun = anna.post("/profile/factor", password=anna.password)
    page = anna.browser.get("/profile/factor").text
    found = re.search(r"otpauth://totp/Ascolto%3Aanna%40shop.example\?secret=([A-Z2-7]{32})&amp;issuer=Ascolto", page)
    assert found
    anna.secret = found[1]

    wrong = anna.post("/profile/factor/confirm", code="000000" if anna.code() != "000000" else "111111")
    right = anna.post("/profile/factor/confirm", code=f" {anna.code()[:3]} {anna.code()[3:]} ")
    shown = re.findall(r"<code>(\d{4} \d{4} \d{4})</code>", right.text)
    again = anna.browser.get("/profile/factor").text

    assert (begun.status_code, wrong.status_code, right.status_code) == (303, 422, 200)
    assert totp.grouped(anna.secret) in page
    assert len(set(shown)) == 10
    assert not any(one in again for one in (*shown, anna.secret, totp.grouped(anna.secret)))


def test_setting_up_shows_the_link_as_a_qr_code_dark_on_light_with_the_key_below(anna: Person) -> None:
    anna.give_password()
    anna.post("/profile/factor", password=anna.password)

    page = anna.browser.get("/profile/factor").text

    (drawn,) = re.findall(r'<p role="img" aria-label="[^"]+">(<svg .+?</svg>)</p>', page)
    (link,) = re.findall(r'href="(otpauth://[^"]+)"', page)
    expected = segno.make(html.unescape(link), micro=False)
    assert drawn == expected.svg_inline(scale=4, dark="#000", light="#fff", svgclass=None, lineclass=None)
    assert "style" not in drawn
    assert page.index(drawn) < page.index('<code class="secret">')


def test_secret_and_codes_do_not_lie_readable_in_the_database(rig: fakes.Rig, anna: Person) -> None:
    anna.switch_on()

    stored = b"".join(path.read_bytes() for path in rig.parts.data.glob("desk.db*"))

    assert anna.secret.encode() not in stored
    assert not any(code.replace(" ", "").encode() in stored for code in anna.codes)


def test_it_is_begun_with_the_password_alone_and_by_nobody_elses(anna: Person) -> None:
    anna.give_password()

    assert anna.post("/profile/factor", password="wrong").status_code == 422
    assert anna.rig.desk.factors.of(anna.user.id).secret == ""


def test_a_secret_waits_a_quarter_of_an_hour_and_a_new_one_replaces_it(rig: fakes.Rig, anna: Person) -> None:
    factors = rig.desk.factors
    factors.begin(anna.user, anna.password)
    anna.secret = factors.of(anna.user.id).secret
    factors.begin(anna.user, anna.password)
    with pytest.raises(Unauthenticated):
        factors.confirm(anna.user, anna.code())
    anna.secret = factors.of(anna.user.id).secret
    rig.parts.clock.advance(minutes=15)

    with pytest.raises(Conflict):
        factors.confirm(anna.user, anna.code())
    assert not factors.is_on(anna.user.id)


def test_it_cannot_be_begun_anew_while_it_is_on(anna: Person) -> None:
    anna.switch_on()

    with pytest.raises(Conflict):
        anna.rig.desk.factors.begin(anna.user, anna.password)
    with pytest.raises(Conflict):
        anna.rig.desk.factors.confirm(anna.user, anna.code())


def test_after_the_password_only_the_code_leads_in_and_to_where_one_wanted(rig: fakes.Rig, anna: Person) -> None:
    anna.switch_on()

    first = anna.give_password("/inbox/open")
    half = dict(anna.browser.cookies)
    within = [anna.browser.get(path).headers.get("location", "") for path in ("/profile", "/inbox/mine", "/live/rail")]
    with rig.client() as api:
        for name, value in half.items():
            api.cookies.set(name, value)
            api.cookies.set(deps.COOKIE, value)
        called = api.get("/api/v1/tickets").status_code
    page = anna.browser.get("/login/code")
    entered = anna.give_code(anna.code())

    assert (first.status_code, first.headers["location"]) == (303, "/login/code")
    assert deps.COOKIE not in half
    assert {"HttpOnly", "SameSite=strict", "Path=/login", "Max-Age=300"} <= {
        part.strip() for part in first.headers["set-cookie"].split(";")
    }
    assert all(where.startswith("/login?next=") for where in within)
    assert called == 401
    for part in ('inputmode="numeric"', 'autocomplete="one-time-code"'):
        assert part in page.text
    assert (entered.status_code, entered.headers["location"]) == (303, "/inbox/open")
    assert anna.inside()
    assert "ascolto_login" not in dict(anna.browser.cookies)


def test_a_code_is_taken_once_on_any_browser(rig: fakes.Rig, anna: Person) -> None:
    anna.switch_on()
    code = anna.code()
    anna.give_password()
    anna.give_code(code)
    with Browser(rig.web) as thief:
        thief.post("/login", data={"email": EMAIL, "password": anna.password})

        replay = thief.post("/login/code", data={"code": code})
        earlier = thief.post("/login/code", data={"code": anna.code(-1)})
        following = thief.post("/login/code", data={"code": anna.code(1)})

    assert (replay.status_code, earlier.status_code) == (401, 401)
    assert replay.text == earlier.text
    assert following.status_code == 303


def test_the_code_that_switched_it_on_does_not_sign_in(rig: fakes.Rig, anna: Person) -> None:
    rig.desk.factors.begin(anna.user, anna.password)
    anna.secret = rig.desk.factors.of(anna.user.id).secret
    rig.desk.factors.confirm(anna.user, anna.code())
    anna.give_password()

    assert anna.give_code(anna.code()).status_code == 401


def test_a_recovery_code_works_once_and_is_counted_down(rig: fakes.Rig, anna: Person) -> None:
    anna.switch_on()
    answers = []
    for code in (anna.codes[3], anna.codes[3], anna.codes[4].replace(" ", "-")):
        anna.give_password()
        answers.append(anna.give_code(code).status_code)

    assert answers == [303, 401, 303]
    assert rig.desk.factors.of(anna.user.id).codes_left == 8
    assert [one.act for one in rig.desk.people.audit()].count("recovery_code_used") == 2


def test_one_persons_codes_do_not_open_anothers_door(rig: fakes.Rig, anna: Person) -> None:
    anna.switch_on()
    other = Person(rig, email="b@shop.example")
    with other.browser:
        other.switch_on()
        other.give_password()

        answers = [other.give_code(one).status_code for one in (anna.code(), anna.codes[0])]

    assert answers == [401, 401]


@pytest.mark.parametrize("change", ["late", "forged", "password", "disabled", "none"])
def test_the_state_between_password_and_code_ends(rig: fakes.Rig, anna: Person, change: str) -> None:
    anna.switch_on()
    anna.give_password()
    if change == "late":
        rig.parts.clock.advance(minutes=5)
    elif change == "forged":
        kept = anna.browser.cookies["ascolto_login"]
        anna.browser.cookies.clear()
        anna.browser.cookies.set("ascolto_login", kept[:-4] + "AAAA", path="/login")
    elif change == "password":
        rig.desk.people.reset_password(anna.user.id, by="")
    elif change == "disabled":
        rig.desk.people.change(anna.user.id, Changes(disabled=True), version=anna.user.version, by="")
    else:
        anna.browser.cookies.clear()

    answer = anna.give_code(anna.code())

    refused = change in {"password", "disabled"}
    assert (answer.status_code, answer.headers.get("location")) == (
        (401, None) if refused else (303, "/login?was=late")
    )
    assert not anna.inside()


def test_codes_are_limited_per_person_before_any_is_compared_and_the_password_does_not_clear_it(
    rig: fakes.Rig, anna: Person
) -> None:
    anna.switch_on()
    answers = []
    for _ in range(10):
        anna.give_password()
        answers.append(anna.give_code("12").status_code)
    anna.give_password()

    blocked = anna.give_code(anna.code())
    with pytest.raises(RateLimited):
        rig.desk.factors.use(anna.user.id, anna.code(), address="elsewhere", version=anna.user.version)
    rig.parts.clock.advance(seconds=1.1)
    opened = anna.give_code(anna.code())

    assert set(answers) == {401}
    assert blocked.status_code == 429
    assert opened.status_code == 303  # the right code was not used up while it was refused


def test_codes_are_limited_per_address(rig: fakes.Rig, anna: Person) -> None:
    anna.switch_on()
    for number in range(10):
        with pytest.raises(Unauthenticated):
            rig.desk.factors.use(f"usr_{number}", "12", address="9.9.9.9", version=1)

    with pytest.raises(RateLimited):
        rig.desk.factors.use(anna.user.id, anna.code(), address="9.9.9.9", version=anna.user.version)


def test_signing_in_with_the_code_rotates_the_session_and_ends_the_former(rig: fakes.Rig, anna: Person) -> None:
    anna.give_password()
    former = anna.browser.cookies[deps.COOKIE]
    anna.switch_on()
    anna.give_password()
    between = rig.desk.sessions.find(former)
    anna.give_code(anna.code())

    assert between is None
    assert anna.browser.cookies[deps.COOKIE] != former


def test_new_recovery_codes_and_the_end_take_password_and_code(rig: fakes.Rig, anna: Person) -> None:
    anna.switch_on()
    anna.give_password()
    anna.give_code(anna.code())
    clock, old = rig.parts.clock, anna.codes[0]

    refused = [
        anna.post("/profile/factor/off", password="wrong", code=anna.code(1)).status_code,
        anna.post("/profile/factor/off", password=anna.password, code="12").status_code,
        anna.post("/profile/factor/off", password=anna.password, code=anna.code()).status_code,  # spent at the door
        anna.post("/profile/factor/codes", password=anna.password, code="12").status_code,
    ]
    renewed = anna.post("/profile/factor/codes", password=anna.password, code=anna.code(1))
    fresh = re.findall(r"<code>(\d{4} \d{4} \d{4})</code>", renewed.text)
    clock.advance(seconds=60)
    with_old = anna.post("/profile/factor/off", password=anna.password, code=old).status_code
    done = anna.post("/profile/factor/off", password=anna.password, code=fresh[0])

    assert refused == [422] * 4
    assert len(set(fresh) - set(anna.codes)) == 10
    assert (with_old, done.status_code) == (422, 303)
    assert not rig.desk.factors.is_on(anna.user.id)
    assert anna.give_password().headers["location"] == "/profile"
    assert [one.act for one in rig.desk.people.audit()][1:4] == [
        "factor_off",
        "recovery_code_used",
        "recovery_codes_renewed",
    ]


def test_an_administrator_removes_somebodys_factor_and_they_are_signed_out(rig: fakes.Rig, anna: Person) -> None:
    anna.switch_on()
    anna.give_password()
    anna.give_code(anna.code())
    chief = Person(rig, "admin", email="chief@shop.example")
    with chief.browser:
        chief.give_password()
        assert anna.post(f"/settings/users/{chief.user.id}", act="factor").status_code == 403
        address = f"/settings/users/{anna.user.id}"
        offered = 'value="factor"' in chief.browser.get(address).text
        done = chief.post(address, act="factor")
        gone = 'value="factor"' in chief.browser.get(address).text

    assert (offered, done.status_code, gone) == (True, 303, False)
    assert not anna.inside()
    assert anna.give_password().headers["location"] == "/profile"


def test_the_command_line_removes_a_factor_and_says_when_there_is_none(rig: fakes.Rig, anna: Person) -> None:
    anna.switch_on()

    commands.reset_factor(rig.parts.database, email=EMAIL.upper())

    assert not rig.desk.factors.is_on(anna.user.id)
    for email in (EMAIL, "nobody@shop.example"):
        with pytest.raises(NotFound):
            commands.reset_factor(rig.parts.database, email=email)


def test_tokens_of_the_api_are_not_asked_for_a_code(rig: fakes.Rig, anna: Person) -> None:
    anna.switch_on()
    with rig.client(headers=rig.bearer("tickets:read")) as api:
        assert api.get("/api/v1/tickets").status_code == 200
