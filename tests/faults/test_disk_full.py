"""Scenario 9 through the whole product: on a full disk nothing is promised, what was promised stays, and it ends by itself."""

from __future__ import annotations

import contextlib
import os
import shutil
import smtplib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.faults.installation import Prepared, installed
from tests.faults.oracle import judge
from tests.faults.traffic import Contact, Ledger, body_of, mail_of
from tests.kitlib import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(200)]
_SIZE = 160 * 1024 * 1024


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 160 MiB of its own."""
    folder.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "ascolto-test", str(folder)], check=False, capture_output=True
    ).returncode == 0  # fmt: skip
    if not mounted:
        pytest.skip("NO RIGHT TO MOUNT: the full disk is not tested through the whole product (run as root)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _contact(number: int, kind: str = "api", size: int = 0) -> Contact:
    key = f"full-{number}" if kind == "api" else f"full.{number}@posta.example"
    files = (("foto.png", os.urandom(size)),) if size else ()
    return Contact(kind, 0, key, f"c{number}", f"p{number}@posta.example", f"pacco rotto {number}", files)


def test_a_full_disk_refuses_before_the_promise_and_recovers_by_itself(tmp_path: Path, template: Prepared) -> None:
    ledger = Ledger()
    with small_disk(tmp_path / "disk") as disk, installed(disk / "one", template) as one:
        one.start()
        headers = {"Authorization": f"Bearer {one.api.token}"}
        hook = f"{one.product.url}/hooks/api/{one.shops[0].accounts['api']}"

        def post(contact: Contact) -> httpx.Response:
            answer = one.api.client.post(hook, content=body_of(contact), headers=headers)
            if answer.status_code == 202:
                ledger.ack(contact, answer.json()["id"])
            return answer

        def mail(contact: Contact) -> int:
            try:
                with smtplib.SMTP(*one.smtp, timeout=20) as client:
                    client.send_message(mail_of(contact, one.shops[0].address))
            except smtplib.SMTPResponseException as error:
                return int(error.smtp_code)
            ledger.ack(contact, "")
            return 250

        assert post(_contact(0)).status_code == 202
        assert mail(_contact(1, "mail")) == 250
        one.drain()
        (disk / "filler").write_bytes(bytes(max(0, shutil.disk_usage(disk).free - 256 * 1024)))
        refused = None
        for number in range(10, 60):  # what little is left is used up first
            refused = post(_contact(number, size=100_000))
            if refused.status_code != 202:
                break
        assert refused is not None
        assert refused.status_code == 503, refused.text
        assert int(refused.headers["retry-after"]) >= 1
        assert mail(_contact(70, "mail", size=200_000)) == 452
        assert one.api.call("GET", "/tickets?limit=5")["items"], "reading goes on"
        assert not one.ended()
        (disk / "filler").unlink()
        wait_until(lambda: post(_contact(80, size=100_000)).status_code == 202, 30)
        wait_until(lambda: mail(_contact(70, "mail", size=200_000)) == 250, 30)
        one.drain()
        assert one.product.stop() == 0
        assert judge(one, ledger) == []
