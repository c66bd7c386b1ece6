"""Start, stop and death of the process: what is wrong is one line, what is asked for happens in time."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from services.demo.customers import ChatVisitor, compose, send
from tests.faults.installation import Installation, Prepared, free_address, installed
from tests.flows.people import Stream, signed_in
from tests.kitlib import wait_until

_PERSON = {"name": "Ada", "address": "ada@posta.example", "language": "it"}


def _run(folder: Path, **settings: str) -> tuple[int, str]:
    """Exit code and standard error of `ascolto run` with settings that cannot work."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ASCOLTO_")}
    wanted = {"ASCOLTO_DATA": str(folder), "ASCOLTO_HTTP": free_address(), "ASCOLTO_SMTP": free_address()}
    done = subprocess.run(
        [sys.executable, "-m", "services", "run"],
        env=plain | wanted | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr.strip()


def _one_line(code: int, told: str, *words: str) -> None:
    assert code not in {0, -9}, told
    assert "Traceback" not in told
    assert len(told.splitlines()) == 1, told
    assert all(word in told for word in words), told


def test_a_taken_http_port_is_one_line(tmp_path: Path, prepared: Prepared) -> None:
    shutil.copytree(prepared.folder / "data", tmp_path / "data")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        _one_line(*_run(tmp_path / "data", ASCOLTO_HTTP=address), "ASCOLTO_HTTP", address)


def test_a_taken_smtp_port_is_one_line(tmp_path: Path, prepared: Prepared) -> None:
    shutil.copytree(prepared.folder / "data", tmp_path / "data")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        _one_line(*_run(tmp_path / "data", ASCOLTO_SMTP=address), "ASCOLTO_SMTP", address)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    _one_line(*_run(tmp_path / "file" / "data"), "ASCOLTO_DATA", "cannot be written")


@pytest.mark.parametrize(
    ("name", "value"), [("ASCOLTO_HTTP", "here:there"), ("ASCOLTO_RETENTION_DAYS", "0"), ("ASCOLTO_COLOUR", "red")]
)
def test_a_wrong_setting_is_one_line_that_names_it(tmp_path: Path, name: str, value: str) -> None:
    _one_line(*_run(tmp_path / "data", **{name: value}), name)


def _children(pid: int) -> list[int]:
    """The processes any thread of `pid` has started; a thread that ends while we look has none."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            found += [int(one) for one in (task / "children").read_text().split()]
    return found


def _gone(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    try:
        return state.read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_streams_open_at_sigterm_end_and_children_die_with_a_killed_parent(tmp_path: Path, prepared: Prepared) -> None:
    with installed(tmp_path, prepared) as one:
        one.start()
        process = one.product.process
        assert process is not None
        with signed_in(one, prepared.password) as browser, closing(Stream(one, browser)) as stream:
            visitor = ChatVisitor(one.product.url, one.shops[0].slug, _PERSON)
            visitor.open()
            wait_until(lambda: stream.named("ready"))
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            assert time.monotonic() - began < 20
            visitor.close()
        one.start()
        process = one.product.process
        assert process is not None
        parent = process.pid
        send(one.smtp, compose(_PERSON | {"subject": "Reso", "text": "Come faccio?"}, one.shops[0].address))
        children = wait_until(lambda: _children(parent))
        one.product.kill()
        wait_until(lambda: all(_gone(child) for child in children), 10)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_search_killed_alone_comes_back_by_itself_and_misses_nothing(tmp_path: Path, prepared: Prepared) -> None:
    with installed(tmp_path, prepared) as one:
        one.start()
        process = one.product.process
        assert process is not None
        before = wait_until(lambda: _searching(process.pid))
        wait_until(lambda: _found(one, "nessuno") == 0, 30)

        os.kill(before, signal.SIGKILL)
        taken = {"account": one.shops[0].accounts["api"], "external_id": "k1", "from": {"email": "ada@posta.example"}}
        one.api.call("POST", "/contacts", expect=202, json=taken | {"text": "un colibrì di vetro"})

        wait_until(lambda: _searching(process.pid) not in (0, before), 30)
        wait_until(lambda: _found(one, "colibri") == 1, 30)
        assert one.product.stop() == 0


def _searching(parent: int) -> int:
    """The process of search, 0 while there is none."""
    for child in _children(parent):
        try:
            if "services.search" in Path(f"/proc/{child}/cmdline").read_text() and not _gone(child):
                return child
        except OSError:  # it ended while we looked
            continue
    return 0


def _found(one: Installation, words: str) -> int:
    """How many messages a search finds; -1 while search does not answer."""
    answer = one.api.client.get(
        f"{one.product.url}/api/v1/search",
        params={"q": f"{words} kind:message"},
        headers={"Authorization": f"Bearer {one.api.token}"},
    )
    return int(answer.json()["total"]) if answer.status_code == 200 else -1
