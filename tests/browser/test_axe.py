"""Check 19: axe finds nothing on any page in all pairs of theme, language, width and density."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from services.desk import render
from tests.browser.chromium import SIZES, sign_in
from tests.browser.test_desk_pages import PATHS, prefer
from tests.desk.pages import world

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

AXE = Path(render.__file__).parents[2] / "deploy" / "browser" / "node_modules" / "axe-core" / "axe.min.js"
ALL = "{runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'], resultTypes: ['violations']}"
# What theme, width and density can change without a new page: colours, sizes, what scrolls, what is shown.
SEEN = "{runOnly: {type: 'rule', values: ['color-contrast', 'target-size', 'scrollable-region-focusable', 'link-in-text-block', 'heading-order', 'empty-heading', 'page-has-heading-one', 'aria-hidden-focus']}, resultTypes: ['violations']}"
LANGUAGES, WIDTHS = ("it", "en", "xx"), ("phone", "tablet", "laptop", "wall")
# For each language one window of each width; theme and density alternate so that every pair of values occurs.
PLAN = tuple(
    (language, width, ("light", "dark")[(i + j) % 2], ("comfortable", "compact")[(i + j // 2) % 2])
    for (i, language), (j, width) in product(enumerate(LANGUAGES), enumerate(WIDTHS))
)


def test_the_plan_has_every_pair() -> None:
    values = (LANGUAGES, WIDTHS, ("light", "dark"), ("comfortable", "compact"))
    for one, other in combinations(range(4), 2):
        assert {(row[one], row[other]) for row in PLAN} == set(product(values[one], values[other]))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    with world.served(Path(tmp_path_factory.mktemp("desk"))) as found:
        yield found


def look(page: Page, path: str, rules: str) -> list[Any]:
    """What axe has against the page as it is now."""
    answer = page.evaluate(f"axe.run(document, {rules})")
    return [
        (path, one["id"], [node["target"] for node in one["nodes"]][:3], one["nodes"][0]["failureSummary"][:200])
        for one in answer["violations"]
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_19_axe_finds_nothing(chromium: Browser, desk: tuple[str, Any], language: str) -> None:
    source = AXE.read_text(encoding="utf-8")
    prefer(desk, theme="system", language=language, density="comfortable", shortcuts=True)
    context = chromium.new_context(reduced_motion="reduce")
    page = context.new_page()
    sign_in(page, desk[0], world.EMAIL, world.PASSWORD)

    found: list[Any] = []
    for path in PATHS:
        page.goto(f"{desk[0]}{path}")
        page.evaluate(source)
        for number, (_, size, theme, density) in enumerate(row for row in PLAN if row[0] == language):
            page.set_viewport_size({"width": SIZES[size][0], "height": 700})
            page.evaluate(
                "([theme, density]) => Object.assign(document.documentElement.dataset, {theme, density})",
                [theme, density],
            )
            found += [(size, theme, density, *one) for one in look(page, path, SEEN if number else ALL)]
    context.close()

    assert found == []
