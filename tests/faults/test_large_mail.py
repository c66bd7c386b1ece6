"""Scenarios 19 and 20 through the whole product: very large mail costs bounded memory, and ordinary mail does not wait."""

from __future__ import annotations

import hashlib
import os
import resource
import smtplib
import sys
import threading
import time
from email.message import EmailMessage
from pathlib import Path
from typing import Self

import pytest

from services.intake.mail.limits import RAW_BYTES
from tests.faults.installation import Installation, Prepared, installed
from tests.faults.oracle import World
from tests.kitlib import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
_MIB = 1024 * 1024
_MORE_MEMORY = 100 * _MIB  # faults.md, scenario 19; the start of the second parser process is a third of it
_LONGEST_S = 5.0


class _Peak:
    """The most memory the process and its children held at once, looked at all the time."""

    def __init__(self, one: Installation) -> None:
        assert one.product.process is not None
        self._pid = one.product.process.pid
        self.most_parsers = 0
        self.bytes = self.before = self._now()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def more(self) -> int:
        """Above what was held at first."""
        return self.bytes - self.before

    def _watch(self) -> None:
        while not self._stop.wait(0.002):
            self.bytes = max(self.bytes, self._now())

    def _now(self) -> int:
        children = [child for child in _children(self._pid) if _is_parser(child)]
        self.most_parsers = max(self.most_parsers, len(children))
        return sum(map(_resident_bytes, [self._pid, *children]))


def _children(pid: int) -> list[int]:
    found = [path for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [int(path.name) for path in found if _read(path / "stat").rpartition(")")[2].split()[1:2] == [str(pid)]]


def _is_parser(pid: int) -> bool:
    """Whether it runs its own program: between fork and exec a child is its parent, whose pages would count twice."""
    return "parser_process" in _read(Path(f"/proc/{pid}/cmdline"))


def _resident_bytes(pid: int) -> int:
    told = _read(Path(f"/proc/{pid}/statm")).split()
    return int(told[1]) * resource.getpagesize() if told else 0


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return ""  # it ended while we looked


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
        mail, digest = _mail(1, one.shops[0].address, size=int(RAW_BYTES / 1.4))
        with _Peak(one) as peak:
            _send(one, mail)
            one.drain()
        said = [said for said in World(one).said.values() if said.incoming and said.external != "large.0@posta.example"]
        assert [one_said.message.not_rendered for one_said in said] == [""]
        assert [file.sha256 for one_said in said for file in one_said.message.attachments] == [digest]
        with pytest.raises(smtplib.SMTPResponseException) as refused:
            _send(one, _mail(2, one.shops[0].address, size=RAW_BYTES)[0])
        assert refused.value.smtp_code == 552
        sys.stdout.write(f"\na mail of {RAW_BYTES // _MIB} MiB took {peak.more // _MIB} MiB more at most\n")
        assert peak.most_parsers == 2
        assert peak.more <= _MORE_MEMORY


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
