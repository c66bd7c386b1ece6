"""The tool that starts real servers: it stops only what it started, and says what is missing and how to get it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import downloads, process, servers
from deploy.local.process import Missing, Running

_WAITS = [sys.executable, "-c", "import sys; print('here I am', flush=True); sys.stdin.read()"]


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process of somebody else."""
    with subprocess.Popen(_WAITS, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        assert started.stdout
        started.stdout.readline()
        yield started
        started.kill()


def test_a_process_that_took_the_number_of_an_ended_server_is_left_alone(
    stranger: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    Running(stranger.pid, began=1_000_000.0, url="kafka://127.0.0.1:1").save(tmp_path / "kafka.json")

    assert Running.load(tmp_path / "kafka.json") is None
    Running(stranger.pid, began=1_000_000.0, url="").stop()
    assert stranger.poll() is None


def test_what_was_started_is_known_again_and_stopped(tmp_path: Path) -> None:
    program = [sys.executable, "-c", "import signal; print('ready', flush=True); signal.pause()"]
    started = process.start("one", program, log=tmp_path / "log", url="one://")
    running = started.wait(lambda: "ready" in (tmp_path / "log").read_text())
    running.save(tmp_path / "one.json")

    found = Running.load(tmp_path / "one.json")
    assert found == running
    found.stop()

    assert not found.alive()
    started.process.wait(5)
    assert Running.load(tmp_path / "one.json") is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_server_is_known_again_after_the_clock_was_set(stranger: subprocess.Popen[bytes]) -> None:
    ticks = int(Path(f"/proc/{stranger.pid}/stat").read_text().rpartition(")")[2].split()[19])

    assert process.begun_at(stranger.pid) == pytest.approx(ticks / os.sysconf("SC_CLK_TCK"), abs=0.05)


def test_a_server_that_ends_at_once_shows_its_last_words(tmp_path: Path) -> None:
    program = [sys.executable, "-c", "print('the disk is full'); raise SystemExit(3)"]
    started = process.start("one", program, log=tmp_path / "log", url="one://")

    with pytest.raises(Missing, match=r"(?s)one ended with status 3.*the disk is full"):
        started.wait(lambda: False)


def test_who_is_interrupted_while_it_starts_leaves_nothing_behind(tmp_path: Path) -> None:
    program = [sys.executable, "-c", "import signal; signal.pause()"]
    started = process.start("one", program, log=tmp_path / "log", url="one://")

    def interrupted() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        started.wait(interrupted)

    assert started.process.wait(5) == -9


def test_what_is_missing_is_said_with_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(downloads, "cache", lambda: tmp_path / "cache")
    monkeypatch.setattr(downloads, "_JVMS", ())
    for name in ("JAVA_HOME", "ES_JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)

    for act, sentence in (
        (downloads.maven, "Install it"),
        (lambda: downloads.jdk(21), "ES_JAVA_HOME=/path/to/jdk"),
        (lambda: downloads.go_install("example.test/x", "v1.0.0", "x"), "Install Go"),
    ):
        with pytest.raises(Missing, match=sentence):
            act()


def test_servers_that_lack_something_are_named_together_and_the_gateway_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lacks(_data: Path) -> Running:
        raise Missing("something is missing")

    monkeypatch.setattr(servers, "STATE", tmp_path / "state")
    for server in servers.SERVERS.values():
        monkeypatch.setattr(server, "start", lacks)

    with pytest.raises(Missing) as caught:
        servers.up()

    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == ["postgres", "kafka", "elasticsearch"]
    assert "!! s3 is SKIPPED: something is missing" in capsys.readouterr().out
    with pytest.raises(Missing, match="s3"):
        servers.up(["s3"])  # who asks for it by name is not told less


def test_a_registry_that_stumbles_is_asked_again(tmp_path: Path) -> None:
    once = tmp_path / "asked"
    downloads.fetch(["sh", "-c", f"test -e {once} || {{ touch {once}; exit 1; }}"], "fetching")

    with pytest.raises(Missing, match="fetching failed with status 3"):
        downloads.fetch(["sh", "-c", f"echo x >> {tmp_path}/tries; exit 3"], "fetching")
    assert (tmp_path / "tries").read_text().count("x") == 3


def test_what_was_fetched_and_is_not_what_was_pinned_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "fetched"
    folder.mkdir()
    (folder / "a.jar").write_bytes(b"one")
    (folder / "pom.xml").write_bytes(b"not of it")
    pinned = hashlib.sha256(b"a.jar\0" + hashlib.sha256(b"one").digest()).hexdigest()

    downloads.check(folder, "*.jar", pinned)
    (folder / "a.jar").write_bytes(b"other")
    with pytest.raises(Missing, match=r"Try again"):
        downloads.check(folder, "*.jar", pinned)
    assert not folder.exists()
