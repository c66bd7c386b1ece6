"""The image's start command and its health check, run as plain processes with the image's settings."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from services.kit.config import HostPort
from services.kit.http import free_port
from tests.deploy.files import DEPLOY
from tests.kitlib import wait_until

_FINAL = re.split(r"^FROM ", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)[-1].replace("\\\n", " ")


def _words(instruction: str) -> list[str]:
    """The words of an instruction in its JSON form."""
    found = re.search(rf"^{instruction}.*?(\[.*\])$", _FINAL, re.MULTILINE)
    assert found, instruction
    words: list[str] = json.loads(found[1])
    return words


def _image_environment() -> dict[str, str]:
    line = re.search(r"^ENV (.*)$", _FINAL, re.MULTILINE)
    assert line
    return dict(word.split("=", 1) for word in line[1].split())


@pytest.mark.timeout(180)
def test_the_image_starts_is_found_healthy_and_ends_in_order(tmp_path: Path) -> None:
    told = _image_environment()
    address = free_port(HostPort("127.0.0.1", 0))
    moved = {
        name: str(free_port(HostPort(value.split(":")[0], 0))) for name, value in told.items() if ":87" in value
    } | {"ASCOLTO_HTTP": f"0.0.0.0:{address.port}", "ASCOLTO_DATA": str(tmp_path / "data")}
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")} | told | moved
    assert _words("ENTRYPOINT") == ["ascolto"]
    program = [sys.executable, "-m", "services", *_words("CMD")]
    check = [sys.executable, *_words("HEALTHCHECK")[1:]]
    assert check[-1].count("127.0.0.1:8700") == 1
    check[-1] = check[-1].replace(":8700", f":{address.port}")
    root = DEPLOY.parent

    before = subprocess.run(check, check=False, capture_output=True, cwd=root).returncode
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            program, env=environment | {"PYTHONPATH": f"{root}:{root}/proto/python"}, stderr=log, cwd=tmp_path
        )
    try:
        wait_until(lambda: subprocess.run(check, check=False, capture_output=True).returncode == 0, 120)
        process.send_signal(signal.SIGTERM)
        ended = process.wait(30)
    finally:
        process.kill()

    assert (before, ended) == (1, 0)
    assert {path.name for path in tmp_path.iterdir()} == {"data", "log"}
    assert '"event": "application.ready"' in (tmp_path / "log").read_text()
