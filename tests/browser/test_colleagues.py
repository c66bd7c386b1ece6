"""Colleagues in a real Chromium: named in a note, their presence, one's own session, the next ticket at hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.chromium import SIZES, sign_in, watch
from tests.desk.pages import world

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    with world.served(Path(tmp_path_factory.mktemp("desk"))) as found:
        yield found


@pytest.fixture
def page(chromium: Browser, desk: tuple[str, Any]) -> Iterator[Page]:
    width, height = SIZES["laptop"]
    context = chromium.new_context(viewport={"width": width, "height": height})
    opened = context.new_page()
    errors = watch(opened)
    sign_in(opened, desk[0], world.EMAIL, world.PASSWORD)
    yield opened
    context.close()
    assert errors == []


def test_a_colleague_is_offered_by_at_in_a_note(page: Page, desk: tuple[str, Any]) -> None:
    desk[1].password("bruno@shop.example", "agent", name="Bruno Verdi")
    desk[1].desk.directory.forget()
    page.goto(f"{desk[0]}/inbox/mine/48190")
    page.locator("#title").focus()
    page.keyboard.press("n")
    area = page.locator("[data-composer=note] [data-text]")
    page.keyboard.type("Guarda @bru")
    page.locator("#offers-note [role=option]", has_text="Bruno Verdi").wait_for()

    page.keyboard.press("Enter")

    assert area.input_value() == "Guarda @bruno "
    assert page.locator("#offers-note").is_hidden()
    area.fill("")
