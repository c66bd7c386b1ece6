"""What the rules walk over: the files that git keeps or would keep, and their syntax trees."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def files() -> tuple[Path, ...]:
    """Files of the repository, without what is ignored or generated, relative to its root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    kept = (Path(line) for line in listed if not line.startswith("proto/python/"))
    return tuple(path for path in kept if (ROOT / path).is_file())


def text_of(path: Path) -> str:
    """A file's text."""
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def tree_of(path: Path) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse(text_of(path), str(path))


def python(*tops: str) -> Iterator[Path]:
    """Python files below some top folders."""
    return (path for path in files() if path.suffix == ".py" and path.parts[0] in tops)


def place(path: Path, node: ast.AST) -> str:
    """`file:line`, as editors take it."""
    return f"{path}:{getattr(node, 'lineno', 0)}"


def line_of(path: Path, node: ast.AST) -> str:
    """The line a node begins on."""
    return text_of(path).splitlines()[getattr(node, "lineno", 1) - 1]


def name_of(node: ast.expr) -> str:
    """The last part of a dotted name: `sleep` of `time.sleep`."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
