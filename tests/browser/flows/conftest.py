"""The one product process, and a signed-in window."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.flows.shop import Running, running, window


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("shop")) as found:
        yield found


@pytest.fixture
def page(shop: Running, chromium: Browser) -> Iterator[Page]:
    with window(shop, chromium) as opened:
        yield opened
