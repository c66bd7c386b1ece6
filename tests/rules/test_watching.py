"""Dashboards and alerts speak only of figures that exist, with labels they have: one that does not stays empty for ever."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.flows.test_metrics_reference import documented

_DEPLOY = Path(__file__).parents[2] / "deploy"
_DASHBOARDS = sorted((_DEPLOY / "dashboards").glob("*.json"))
_ALERTS = sorted((_DEPLOY / "alerts").glob("*.yaml"))
_PARTS = {"_bucket": {"le"}, "_sum": set(), "_count": set()}  # of a histogram, with the labels they have besides
_GIVEN = {"instance", "job"}  # Prometheus adds them to everything
_WORDS = frozenset(
    [
        "sum",
        "min",
        "max",
        "count",
        "avg",
        "rate",
        "increase",
        "by",
        "or",
        "and",
        "on",
        "vector",
        "histogram_quantile",
        "unless",
        "without",
        "ignoring",
        "absent",
    ]
)
_TOKEN = re.compile(
    r'(?P<text>"[^"]*")|(?P<range>\[\w+\])|(?P<number>\d[\d.e]*)|(?P<name>[a-z_]\w*)|(?P<sign>[=!<>]~?=?|[{}(),*/+-])|(?P<space>\s+)'
)


def faults(expression: str) -> Iterator[str]:
    """What an expression asks for that no process shows."""
    known = documented()
    tokens = [(match.lastgroup, match.group()) for match in _TOKEN.finditer(expression) if match.lastgroup != "space"]
    if "".join(text for _, text in tokens) != re.sub(r"\s+(?=([^\"]*\"[^\"]*\")*[^\"]*$)", "", expression):
        yield f"{expression!r} cannot be read"
    labels: set[str] = set()
    asked: set[str] = set()
    selecting = grouping = False
    for number, (kind, text) in enumerate(tokens):
        before = tokens[number - 1][1] if number else ""
        if text == "{":
            selecting = True
        elif text == "}":
            selecting = False
        elif text == "(" and before in {"by", "without", "on", "ignoring"}:
            grouping = True
        elif text == ")":
            grouping = False
        elif kind == "name" and (selecting or grouping):
            asked.add(text)
        elif kind == "name" and text not in _WORDS:
            found = _labels_of(text, known)
            if found is None:
                yield f"there is no metric {text}"
            else:
                labels |= found
    yield from (f"no metric of {expression!r} has the label {label}" for label in asked - labels - _GIVEN)


def _labels_of(name: str, known: dict[str, tuple[str, frozenset[str]]]) -> set[str] | None:
    if name in known:
        return set(known[name][1])
    for suffix, more in _PARTS.items():
        base = name.removesuffix(suffix)
        if base != name and known.get(base, ("",))[0] == "histogram":
            return set(known[base][1]) | more
    return None


def _rules(path: Path) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


@pytest.mark.parametrize(
    ("expression", "wrong"),
    [
        ("sum by (service) (rate(ascolto_kit_commits_total[5m]))", False),
        ("sum by (method) (rate(ascolto_kit_commits_total[5m]))", True),
        ('max(ascolto_kit_check{critical="true"}) == 0', False),
        ('max(ascolto_kit_check{colour="red"}) == 0', True),
        ("ascolto_kit_committed", True),
        ("sum(ascolto_http_request_seconds_bucket)", False),
        ("sum(ascolto_kit_commits_total_bucket)", True),
        ("ascolto_kit_check ; drop", True),
    ],
)
def test_the_reader_of_expressions_tells_right_from_wrong(expression: str, wrong: bool) -> None:
    assert bool(list(faults(expression))) is wrong


@pytest.mark.parametrize("path", _DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_can_be_imported_and_asks_for_what_there_is(path: Path) -> None:
    board = json.loads(path.read_text())

    assert board["uid"] == f"ascolto-{path.stem}"
    assert [one["type"] for one in board["templating"]["list"]] == ["datasource"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"]) > 0
    for panel in board["panels"]:
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            assert not list(faults(target["expr"])), panel["title"]


@pytest.mark.parametrize("path", _ALERTS, ids=lambda path: path.stem)
def test_an_alert_asks_for_what_there_is_and_says_what_to_do(path: Path) -> None:
    rules = _rules(path)

    assert len({rule["alert"] for rule in rules}) == len(rules) > 0
    for rule in rules:
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}, rule["alert"]
        assert not list(faults(rule["expr"])), rule["alert"]
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert all(rule["annotations"][name].endswith(".") for name in ("summary", "action")), rule["alert"]
