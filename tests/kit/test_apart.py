"""A service in a process of its own: it comes back when it dies, ends with the main process, and hears of commits."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.kit.apart import Apart
from services.kit.config import Settings
from tests.kitlib import wait_until

_CHILD = """
import os, pathlib, sys, time
from services.kit.apart import END
told = pathlib.Path(os.environ["ASCOLTO_DATA"]) / "told"
told.mkdir(exist_ok=True)
(told / f"started-{os.getpid()}").touch()
while said := os.read(0, 65536):
    if END in said:
        (told / "ended").touch()
        sys.exit(0)
    (told / "woken").touch()
(told / "orphaned").touch()
"""


@pytest.fixture
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Apart]:
    (tmp_path / "child_of_a_test.py").write_text(_CHILD)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}:{Path.cwd()}")
    one = Apart("search", "child_of_a_test", Settings.from_env({"ASCOLTO_DATA": str(tmp_path)}))
    stop = threading.Event()
    one.prepare()
    thread = threading.Thread(target=one.run, args=(stop,))
    thread.start()
    wait_until(lambda: _started(tmp_path))
    yield one
    stop.set()
    thread.join(20)
    one.close()


def _started(folder: Path) -> list[str]:
    return [path.name for path in (folder / "told").glob("started-*")]


def test_a_commit_wakes_the_child(apart: Apart, tmp_path: Path) -> None:
    apart.wake()

    wait_until((tmp_path / "told" / "woken").exists)


def test_a_child_that_dies_is_started_again(apart: Apart, tmp_path: Path) -> None:
    os.kill(apart.pid(), signal.SIGKILL)

    wait_until(lambda: len(_started(tmp_path)) == 2)


def test_a_wake_never_blocks_nor_fails_whatever_became_of_the_child(apart: Apart) -> None:
    os.kill(apart.pid(), signal.SIGSTOP)
    try:
        for _ in range(200_000):  # more than a pipe holds
            apart.wake()
    finally:
        os.kill(apart.pid(), signal.SIGKILL)
    for _ in range(100):
        apart.wake()


def test_closing_asks_the_child_to_end_and_removes_the_sockets(apart: Apart, tmp_path: Path) -> None:
    folder = apart.address("search").parent

    apart.close()

    assert (tmp_path / "told" / "ended").exists()
    assert not folder.exists()
    assert apart.pid() == 0
