"""Pages that name tests name tests that exist; `faults.md` every scenario that must be survived, `spine-tests.md` all eight."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "faults.md"
SPINE = ROOT / "docs" / "reference" / "spine-tests.md"
SCENARIOS = {*range(1, 23), *range(24, 32), 33, *range(35, 41), 43, 44, 45, 46}


@pytest.mark.parametrize("page", [PAGE, SPINE], ids=["faults", "spine"])
def test_every_test_named_on_the_page_exists(page: Path) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page.read_text("utf-8"))
    assert len(named) > 40
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        there = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert name in there, f"{path} has no {name}"


def test_every_scenario_has_a_line() -> None:
    lines = {int(number) for number in re.findall(r"^\| (\d+) \| .*`tests/", PAGE.read_text("utf-8"), re.MULTILINE)}
    assert lines == SCENARIOS


def test_every_test_of_the_spine_has_its_lines() -> None:
    parts = re.split(r"^## (\d+)\. ", SPINE.read_text("utf-8"), flags=re.MULTILINE)[1:]
    assert [int(number) for number in parts[::2]] == list(range(1, 9))
    assert all(part.count("`tests/") >= 5 for part in parts[1::2])
