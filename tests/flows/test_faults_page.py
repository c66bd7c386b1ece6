"""`docs/reference/faults.md` names tests that exist, and every scenario that must be survived."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "faults.md"
SCENARIOS = {1, 8, 9, *range(15, 23), *range(24, 32), 33, 35, 36, 39, 43, 44, 45}


def test_every_test_named_on_the_page_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text("utf-8"))
    assert len(named) > 50
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        there = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert name in there, f"{path} has no {name}"


def test_every_scenario_has_a_line() -> None:
    lines = {int(number) for number in re.findall(r"^\| (\d+) \| .*`tests/", PAGE.read_text("utf-8"), re.MULTILINE)}
    assert lines == SCENARIOS
