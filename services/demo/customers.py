"""What simulated customers do, through the same edges as real ones: mail by SMTP, the form's page, the chat's socket."""

from __future__ import annotations

import json
import smtplib
import struct
import zlib
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, make_msgid
from typing import Any

from services.kit.clock import SystemClock


def photo(shade: int = 180) -> bytes:
    """A small PNG of a broken thing, made on the spot. Source: PNG specification (W3C), section 5."""
    width, height = 48, 32
    rows = b"".join(b"\x00" + bytes((shade if (x * y + x) % 11 else 20) for x in range(width)) for y in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def compose(
    person: dict[str, Any],
    to: str,
    *,
    subject: str = "",
    text: str = "",
    answers: EmailMessage | None = None,
    automatic: bool = False,
) -> EmailMessage:
    """A mail of a person, or their answer to one they received."""
    mail = EmailMessage()
    mail["From"] = formataddr((person["name"], person["address"]))
    mail["To"] = to
    mail["Date"] = format_datetime(SystemClock().now())
    mail["Message-ID"] = make_msgid(domain=person["address"].partition("@")[2])
    if answers is not None:
        mail["In-Reply-To"] = str(answers["Message-ID"])
        mail["References"] = f"{answers.get('References', '')} {answers['Message-ID']}".strip()
        subject = subject or f"Re: {answers['Subject']}"
    mail["Subject"] = subject or person["subject"]
    if automatic:
        mail["Auto-Submitted"] = "auto-replied"
    mail.set_content(text or person["text"])
    if person.get("photo") and answers is None:
        mail.add_attachment(photo(), maintype="image", subtype="png", filename="vetro rotto.png")
    return mail


def send(smtp: tuple[str, int], mail: EmailMessage) -> None:
    """Hands a mail over; returns after the 250."""
    with smtplib.SMTP(*smtp, timeout=30) as client:
        client.send_message(mail)


def frame(**fields: Any) -> str:
    """A frame of the chat's socket."""
    return json.dumps(fields)
