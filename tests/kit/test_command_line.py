"""The command line: what it says by its exit code."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services import __main__ as command_line
from services.kit import doctor


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", os.environ | {"ASCOLTO_DATA": str(tmp_path / "data")})


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (False, 1)])
def test_the_doctor_says_by_its_exit_code_that_something_is_wrong(
    ok: bool, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [{"name": "disk", "ok": ok, "detail": "fine" if ok else "full", "warning": False}]
    monkeypatch.setattr(doctor, "examine", lambda _environment: found)
    monkeypatch.setattr("sys.argv", ["ascolto", "doctor"])

    assert command_line.main() == code
    assert ("BAD" in capsys.readouterr().out) is not ok


def test_the_doctor_of_a_folder_that_was_never_run_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["ascolto", "doctor", "--json"])

    assert command_line.main() == 1
    assert "ascolto migrate" in capsys.readouterr().out


def test_replay_lists_when_nothing_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["ascolto", "replay"])

    assert command_line.main() == 0
    assert capsys.readouterr().out == "Nothing is parked.\n"
