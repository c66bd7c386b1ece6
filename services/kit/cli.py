"""How commands speak: progress bars on long work, JSON for scripts, one line for an error. No command lives here."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from services.kit import control
from services.kit.control import Command
from services.kit.errors import AscoltoError

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print just the secret.")]
_EXIT = {"invalid": 2, "not_found": 3, "conflict": 4, "unavailable": 5}


def fail(error: AscoltoError, *, as_json: bool) -> int:
    """Says an error in one line on standard error; returns the exit code of its kind."""
    if as_json:
        print(json.dumps({"error": error.message, "kind": error.kind, "field": error.field}), file=sys.stderr)
    else:
        print(error.message, file=sys.stderr)
    return _EXIT.get(error.kind, 1)


def show(result: Any, *, as_json: bool, text: str = "") -> None:
    """Prints a command's result: JSON when asked, else `text`."""
    print(json.dumps(result, ensure_ascii=False, default=str) if as_json else text, flush=True)


@contextlib.contextmanager
def bar(*, as_json: bool) -> Iterator[control.Progress]:
    """What long work tells how far it is; a bar on a terminal."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=as_json or not sys.stderr.isatty(),
    ) as shown:
        task: Any = None

        def progress(done: float, what: str) -> None:
            nonlocal task
            if task is None:
                task = shown.add_task(what, total=1.0)
            shown.update(task, completed=done, description=what)

        yield progress


def perform(folder: Path, name: str, arguments: Mapping[str, Any], here: Command, *, as_json: bool) -> Any:
    """Has the running process do a command, or does it here when none runs; with a progress bar on a terminal."""
    with bar(as_json=as_json) as progress:
        try:
            return control.send(folder, name, arguments, progress)
        except (FileNotFoundError, ConnectionRefusedError):
            return here(arguments, progress)
