"""Our own rules as functions: a syntax tree in, what breaks the rule out. Each with its story."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

from tests.rules.tree import name_of

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def makers(tree: ast.Module) -> set[str]:
    """Names of functions that return a new `Sql`: to be called at module level, like `Sql` itself."""
    return {
        function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef) and _makes(function) and not _is_cached(function)
    }


def compiled_in_functions(tree: ast.Module, made_by: Collection[str] = ()) -> Iterator[ast.AST]:
    """Statements made anew at each call: `Sql(…)` in a function, `insert().values(…)`, `begin_nested()`.

    A row by `.values()` took 137 microseconds and `begin_nested` 114, against 13 by a statement made once. Allowed are
    functions that keep what they made (`@cache`), and makers, whose names, given as `made_by`, count like `Sql`.
    """
    forbidden = {"Sql", "begin_nested", *made_by}
    for function in ast.walk(tree):
        if not isinstance(function, _Function) or _is_cached(function) or _makes(function):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and (name_of(node.func) in forbidden or _fills_values(node)):
                yield node


def _makes(function: _Function) -> bool:
    if isinstance(function, ast.Lambda):
        return False
    return function.name == "__init__" or any(
        isinstance(node, ast.Return) and isinstance(node.value, ast.Call) and name_of(node.value.func) == "Sql"
        for node in ast.walk(function)
    )


def _is_cached(function: _Function) -> bool:
    return not isinstance(function, ast.Lambda) and any(
        name_of(item.func if isinstance(item, ast.Call) else item) in {"cache", "lru_cache"}
        for item in function.decorator_list
    )


def _fills_values(call: ast.Call) -> bool:
    built = call.func.value if isinstance(call.func, ast.Attribute) and call.func.attr == "values" else None
    return isinstance(built, ast.Call) and name_of(built.func) in {"insert", "update"}


def sleeps(tree: ast.Module) -> Iterator[ast.AST]:
    """A test that sleeps is slow on a fast machine and fails on a slow one: it waits on a condition with a deadline.

    A sleep that is itself what is measured says so on its line: `# sleep: ticks of the loop`.
    """
    for node in ast.walk(tree):
        if (isinstance(node, ast.Call) and name_of(node.func) == "sleep") or (
            isinstance(node, ast.ImportFrom)
            and node.module == "time"
            and any(item.name == "sleep" for item in node.names)
        ):
            yield node


def swallowed(tree: ast.Module, *, refusals: bool = False) -> Iterator[ast.AST]:
    """An error that nobody hears of: a bare `except`, one of everything that does nothing, `suppress(Exception)`.

    A named, narrow error may be passed over: `except FileNotFoundError: pass` says what is expected. With `refusals`
    so may `AscoltoError`: a property test goes on when the product refuses a step.
    """
    wide = {"Exception", "BaseException"} | (set() if refusals else {"AscoltoError"})
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and (
            node.type is None or (_is_wide(node.type, wide) and all(_does_nothing(line) for line in node.body))
        ):
            yield node
        if (
            isinstance(node, ast.Call)
            and name_of(node.func) == "suppress"
            and any(_is_wide(item, wide) for item in node.args)
        ):
            yield node


def _is_wide(kind: ast.expr, wide: Collection[str]) -> bool:
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(name_of(item) in wide for item in kinds)


def _does_nothing(line: ast.stmt) -> bool:
    return isinstance(line, (ast.Pass, ast.Continue)) or (
        isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)
    )


_SILENCED = re.compile(
    r"#\s*(?:noqa(?P<rules>: ?[A-Z]+\d+(?:, ?[A-Z]+\d+)*)?|type: ignore(?P<kinds>\[[\w, -]+\])?)(?P<reason>.*)"
)


def silenced_without_reason(text: str) -> Iterator[int]:
    """Lines where a checker is silenced without a word why: `# noqa: S608 (columns are ours)` says it."""
    for number, line in enumerate(text.splitlines(), 1):
        match = _SILENCED.search(line)
        if match and (not (match["rules"] or match["kinds"]) or not re.search(r"\w{3}", match["reason"])):
            yield number
