"""The rules, held against the whole tree; and against code that breaks them, so that none is blind."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.rules import rules
from tests.rules.tree import files, line_of, place, python, text_of, tree_of

HOT = [
    path
    for path in python("services")
    if len(path.parts) > 2 and (path.parts[2] in {"store", "store.py", "consumer", "consumer.py"})
]
LONG = 400
COUNTED = {".py", ".css", ".js", ".html", ".j2", ".txt", ".sh", ".proto"}


def test_hot_modules_compile_no_statement_at_a_call() -> None:
    assert HOT
    made_by = {path.parts[1]: set[str]() for path in HOT}
    for path in HOT:
        made_by[path.parts[1]] |= rules.makers(tree_of(path)) - {"__init__"}
    found = [
        place(path, node) for path in HOT for node in rules.compiled_in_functions(tree_of(path), made_by[path.parts[1]])
    ]
    assert found == []


def test_no_test_sleeps() -> None:
    found = [
        place(path, node)
        for path in python("tests")
        for node in rules.sleeps(tree_of(path))
        if "# sleep: " not in line_of(path, node)
    ]
    assert found == []


def test_no_error_is_swallowed() -> None:
    found = [
        place(path, node)
        for path in python("services", "tests", "benchmarks")
        for node in rules.swallowed(tree_of(path), refusals=path.parts[0] == "tests")
    ]
    assert found == []


def test_who_silences_a_checker_says_why() -> None:
    found = [
        f"{path}:{line}"
        for path in python("services", "tests", "benchmarks")
        for line in rules.silenced_without_reason(text_of(path))
        if path.parts[:2] != ("tests", "rules")
    ]
    assert found == []


def test_no_file_is_longer_than_400_lines() -> None:
    kept = [
        path for path in files() if path.suffix in COUNTED and "lock" not in path.name and "weights" not in path.parts
    ]
    found = {str(path): lines for path in kept if (lines := text_of(path).count("\n")) > LONG}
    assert {path for path in found if not _is_data(Path(path))} == set()


def _is_data(path: Path) -> bool:
    return "fixtures" in path.parts or "vendor" in path.parts


@pytest.mark.parametrize(
    ("rule", "code", "found"),
    [
        ("compiled_in_functions", "def f(uow):\n    uow.rows(Sql('SELECT 1'))", 1),
        ("compiled_in_functions", "f = lambda uow: uow.rows(Sql('SELECT 1'))", 1),
        ("compiled_in_functions", "def f(): connection.execute(table.insert().values(a=1))", 1),
        ("compiled_in_functions", "def f():\n  with connection.begin_nested(): pass", 1),
        ("compiled_in_functions", "GET = Sql('SELECT 1')\ndef f(rows): return rows.values()", 0),
        ("compiled_in_functions", "@cache\ndef f(where): return Sql(where)", 0),
        ("compiled_in_functions", "def maker(where): return Sql(where)", 0),
        ("sleeps", "import time\ntime.sleep(1)", 1),
        ("sleeps", "from time import sleep", 1),
        ("sleeps", "async def f(): await asyncio.sleep(0.1)", 1),
        ("sleeps", "event.wait(1)", 0),
        ("swallowed", "try: f()\nexcept: pass", 1),
        ("swallowed", "try: f()\nexcept Exception: pass", 1),
        ("swallowed", "for x in y:\n  try: f()\n  except (ValueError, Exception): continue", 1),
        ("swallowed", "with contextlib.suppress(Exception): f()", 1),
        ("swallowed", "try: f()\nexcept AscoltoError: pass", 1),
        ("swallowed", "try: f()\nexcept FileNotFoundError: pass", 0),
        ("swallowed", "try: f()\nexcept Exception as error: log.error(error)", 0),
    ],
)
def test_each_rule_sees_what_breaks_it(rule: str, code: str, found: int) -> None:
    assert len(list(getattr(rules, rule)(ast.parse(code)))) == found


def test_a_maker_of_statements_counts_like_one() -> None:
    tree = ast.parse("class M:\n  def query(self, rest): return Sql(rest)\ndef f(reader): reader.rows(M().query('x'))")

    assert rules.makers(tree) == {"query"}
    assert len(list(rules.compiled_in_functions(tree, {"query"}))) == 1


@pytest.mark.parametrize(
    ("line", "silent"),
    [
        ("x = 1  # noqa", True),
        ("x = 1  # noqa: S608", True),
        ("x = 1  # noqa: S608 (columns are ours)", False),
        ("x = 1  # type: ignore", True),
        ("x = 1  # type: ignore[arg-type]", True),
        ("x = 1  # type: ignore[arg-type]  # the stubs want an enum", False),
    ],
)
def test_a_silenced_checker_is_seen(line: str, silent: bool) -> None:
    assert bool(list(rules.silenced_without_reason(line))) is silent
