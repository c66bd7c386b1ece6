"""Answers to other programs: the callback gets all that was said, files and HTML too."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from services.intake.channels import api
from services.intake.domain.channel import Account, Outbound
from services.intake.domain.contact import Attachment
from services.intake.ports import Tools
from services.kit.blobs import FolderBlobs
from services.kit.clock import ManualClock
from services.kit.config import Settings
from services.kit.egress import Egress
from services.kit.secrets import Keys


class Callback(BaseHTTPRequestHandler):
    """A program's callback; keeps what it was told."""

    told: list[dict[str, Any]]

    def do_POST(self) -> None:
        self.told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Silent."""


@pytest.fixture
def callback() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    told: list[dict[str, Any]] = []
    server = HTTPServer(("127.0.0.1", 0), type("Told", (Callback,), {"told": told}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/answers", told
    server.shutdown()
    thread.join(10)
    server.server_close()


def test_an_answer_takes_its_files_and_html_along(callback: tuple[str, list[dict[str, Any]]], tmp_path: Path) -> None:
    url, told = callback
    egress = Egress()
    channel = api.build(
        Tools(
            settings=Settings(),
            keys=Keys(b"k" * 32),
            clock=ManualClock(),
            egress=egress,
            blobs=FolderBlobs(tmp_path),
            data=tmp_path,
        )
    )
    account = Account(
        id="acc_1", brand_id="brd_1", channel="api", settings={"callback_url": url, "allow_hosts": "127.0.0.1"}
    )
    files = (Attachment("r.pdf", "application/pdf", b"%PDF"),)

    receipt = channel.send(
        Outbound(delivery_id="dlv_1", reply_id="int_1", ticket_id="tkt_1", text="Ecco", html="<b>Ecco</b>", attachments=files),
        account,
    )  # fmt: skip
    egress.close()

    data = told[0]["data"]
    assert receipt.delivered
    assert (data["text"], data["html"]) == ("Ecco", "<b>Ecco</b>")
    assert data["attachments"] == [
        {
            "name": "r.pdf",
            "media_type": "application/pdf",
            "content_base64": base64.b64encode(b"%PDF").decode(),
        }
    ]
