"""Scenarios 19 and 20 through the whole product: very large mail costs bounded memory, and ordinary mail does not wait."""

from __future__ import annotations

import hashlib
import os
import smtplib
import sys
import threading
import time
from email.message import EmailMessage
from pathlib import Path

import pytest

from services.intake.mail.limits import RAW_BYTES
from tests.faults.installation import Installation, Prepared, installed
from tests.faults.oracle import World
from tests.kitlib import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
_MIB = 1024 * 1024
# Copies alive at once: lines as they came, joined, with our own lines, on the way to the parser, and its files.
_MORE_MEMORY = 8 * RAW_BYTES
_LONGEST_S = 5.0


def _peak_bytes(one: Installation) -> int:
    assert one.product.process is not None
    status = Path(f"/proc/{one.product.process.pid}/status").read_text("utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _mail(number: int, to: str, *, size: int = 0, parts: int = 0) -> tuple[EmailMessage, str]:
    data = os.urandom(size)
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = f"p{number}@posta.example", to, f"Ordine {number}"
    mail["Message-ID"] = f"<large.{number}@posta.example>"
    mail.set_content("Guten Tag, anbei die Bilder.")
    if size:
        mail.add_attachment(data, maintype="image", subtype="png", filename="foto.png")
    for _ in range(parts):
        mail.add_attachment(b"", maintype="application", subtype="octet-stream", filename="x")
    return mail, hashlib.sha256(data).hexdigest()


def _send(one: Installation, mail: EmailMessage) -> float:
    began = time.monotonic()
    with smtplib.SMTP(*one.smtp, timeout=60) as client:
        client.send_message(mail)
    return time.monotonic() - began


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_the_largest_mail_taken_is_kept_whole_and_memory_stays_bounded(tmp_path: Path, template: Prepared) -> None:
    with installed(tmp_path / "one", template) as one:
        one.start()
        _send(one, _mail(0, one.shops[0].address)[0])
        one.drain()
        before = _peak_bytes(one)
        mail, digest = _mail(1, one.shops[0].address, size=int(RAW_BYTES / 1.4))
        _send(one, mail)
        one.drain()
        said = [said for said in World(one).said.values() if said.incoming and said.external != "large.0@posta.example"]
        assert [one_said.message.not_rendered for one_said in said] == [""]
        assert [file.sha256 for one_said in said for file in one_said.message.attachments] == [digest]
        with pytest.raises(smtplib.SMTPResponseException) as refused:
            _send(one, _mail(2, one.shops[0].address, size=RAW_BYTES)[0])
        assert refused.value.smtp_code == 552
        more = _peak_bytes(one) - before
        sys.stdout.write(f"\na mail of {RAW_BYTES // _MIB} MiB took {more // _MIB} MiB more at most\n")
        assert more <= _MORE_MEMORY


def test_ordinary_mail_is_answered_while_bombs_are_parsed(tmp_path: Path, template: Prepared) -> None:
    with installed(tmp_path / "one", template) as one:
        one.start()
        address = one.shops[0].address
        _send(one, _mail(0, address)[0])
        bombs = [_mail(100 + number, address, parts=3_000)[0] for number in range(4)]
        threads = [threading.Thread(target=_send, args=(one, bomb)) for bomb in bombs]
        for thread in threads:
            thread.start()
        took = sorted(_send(one, _mail(200 + number, address)[0]) for number in range(100))
        for thread in threads:
            thread.join(120)
        sys.stdout.write(f"\nordinary mail while bombs are parsed: median {took[50]:.3f} s, p99 {took[98]:.3f} s\n")
        assert took[98] < _LONGEST_S
        one.drain()
        wait_until(lambda: len(World(one).said) >= 105, 30)
