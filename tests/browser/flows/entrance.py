"""The way in, by keyboard: the password, and the second factor switched on in the profile."""

from __future__ import annotations

from datetime import UTC, datetime

from services.desk.domain import totp
from tests.browser.flows.hand import Hand
from tests.browser.flows.shop import Running


def give_password(shop: Running, hand: Hand, email: str, password: str) -> None:
    """At the sign-in page; what comes then is not waited for."""
    hand.page.goto(f"{shop.url}/login")
    hand.wait_focus("#email")
    hand.type(email)
    hand.press("Tab")
    hand.type(password)
    hand.press("Enter")


def switch_on(shop: Running, hand: Hand, password: str) -> tuple[str, int]:
    """The key shown, and the step whose code switched the factor on."""
    page = hand.page
    page.goto(f"{shop.url}/profile/factor")
    hand.tab_to("#f-password")
    hand.type(password)
    hand.press("Enter")
    page.locator("code.secret").wait_for()
    secret = page.locator("code.secret").inner_text().replace(" ", "")
    step = totp.step_of(datetime.now(UTC))
    hand.tab_to("#f-code")
    hand.type(totp.code_at(secret, step))
    hand.press("Enter")
    page.locator("#codes").wait_for()
    return secret, step
