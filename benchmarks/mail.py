"""What a mail costs (P8): parse, quotes and sanitising beside the bare Rust parser and sanitiser, on one core."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from email.message import EmailMessage

import nh3
from fast_mail_parser import parse_email

from benchmarks.report import Row
from benchmarks.texts import words
from services.intake.mail.parse import parse_mail

_MAILS = 200
_ROUNDS = 5
_BYTES = 10_000


def mail(number: int) -> bytes:
    """A multipart/alternative answer of about 10 KB: new words, a signature, the quoted mail before."""
    new, old = words(number, 1200), words(number + 10_000, 1500)
    made = EmailMessage()
    made["From"] = f"Cliente Esempio <c{number}@posta.example>"
    made["To"] = "Prova <care@prova.example>"
    made["Subject"] = f"Re: Ordine LC-{10_000 + number}"
    made["Date"] = "Thu, 12 Mar 2026 10:00:00 +0100"
    made["Message-ID"] = f"<m{number}@posta.example>"
    made["In-Reply-To"] = f"<o{number}@prova.example>"
    quoted = "\n".join(f"> {old[at : at + 70]}" for at in range(0, len(old), 70))
    made.set_content(f"{new}\n\n-- \nCliente Esempio\n\nIl giorno 11 mar 2026 alle 9:00, Prova ha scritto:\n{quoted}\n")
    markup = "".join(
        f'<p style="margin:0">{new[at : at + 200]} <a href="https://prova.example/o/{at}">ordine</a></p>'
        for at in range(0, len(new), 200)
    )
    page = f'<html><body><div>{markup}</div><div class="gmail_quote"><blockquote>{old}</blockquote></div>'
    filling = '<table><tr><td width="50%">cella</td></tr></table>'
    page += filling * (max(0, _BYTES - len(made.as_bytes()) - len(page)) // len(filling)) + "</body></html>"
    made.add_alternative(page, subtype="html")
    return made.as_bytes()


def _bare(raw: bytes) -> object:
    found = parse_email(raw)
    return [nh3.clean(one) for one in found.text_html]


def _rate(run: Callable[[bytes], object], mails: list[bytes]) -> float:
    began = time.thread_time()
    for one in mails:
        run(one)
    return len(mails) / (time.thread_time() - began)


def parsing() -> list[Row]:
    """P8: mails a second of CPU, product ÷ bare."""
    mails = [mail(number) for number in range(_MAILS)]
    for run in (_bare, parse_mail):  # once without counting: tables are built at the first mail
        _rate(run, mails[:5])
    ours, theirs = [], []
    for _ in range(_ROUNDS):
        theirs.append(_rate(_bare, mails))
        ours.append(_rate(parse_mail, mails))
    value = statistics.median(mine / bare for mine, bare in zip(ours, theirs, strict=True))
    size = round(statistics.mean(len(one) for one in mails) / 1000)
    what = f"mails of {size} KB/s and core ÷ Rust parser and nh3"
    return [Row("P8", what, value, 0.3, statistics.median(ours), statistics.median(theirs), "mails/s")]
