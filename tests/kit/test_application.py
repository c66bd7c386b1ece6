"""One process: when it says that it is ready."""

from __future__ import annotations

from pathlib import Path

import httpx

from services.kit.application import Application
from services.kit.config import HostPort, Settings
from services.kit.http import free_port


def test_a_process_is_not_ready_before_its_pages_answer(tmp_path: Path) -> None:
    settings = Settings.from_env({"ASCOLTO_DATA": str(tmp_path / "data")})
    with Application(settings) as app:
        app.watch(http=free_port(HostPort("127.0.0.1", 0)))
        app.migrate()
        app.work()  # its threads run, HTTP is not open yet

        answer = httpx.get(f"http://{app.http_address}/readyz")

    assert answer.status_code == 503
