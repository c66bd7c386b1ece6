"""Handing a mail to the outgoing server, with an honest verdict: accepted, surely not accepted, or unknown.

Source: RFC 5321 (sections 3.3, 4.2.1, 4.5.4.2), RFC 3207 (STARTTLS), RFC 4954 (AUTH). Only what is lost after the
final dot began is unknown.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from services.intake.ports import Account, NotSent, Receipt, Uncertain
from services.kit.errors import Invalid

_TIMEOUT_S = 45.0
_TLS = ("starttls", "implicit", "none")
_GONE = re.compile(r"5\.1\.[1236]|5\.2\.1|user unknown|no such user|does not exist|unknown user", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Relay:
    """The outgoing server of an account. `tls` is starttls, implicit or none."""

    host: str
    port: int
    tls: str = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)


def relay_of(account: Account, default_url: str) -> Relay:
    """The account's own server, else the installation's. Raises `Invalid` when there is none, or it is written wrongly."""
    host = account.setting("smtp_host")
    if not host:
        if not default_url:
            raise Invalid(
                "No outgoing mail server is set: give the account one, or set ASCOLTO_SMTP_OUT.", field="smtp_host"
            )
        return relay_of_url(default_url)
    tls = account.setting("smtp_tls", "starttls")
    if tls not in _TLS:
        raise Invalid("The encryption of the outgoing server must be starttls, implicit or none.", field="smtp_tls")
    port = account.setting("smtp_port", "465" if tls == "implicit" else "587")
    if not port.isdigit() or not 0 < int(port) < 65_536:
        raise Invalid("The port of the outgoing server is not a number from 1 to 65535.", field="smtp_port")
    return Relay(host, int(port), tls, account.setting("smtp_user"), account.secrets.get("smtp_password", ""))


def relay_of_url(url: str) -> Relay:
    """`smtp://user:password@host:port?starttls=1` or `smtps://…`. Raises `Invalid`."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as error:
        raise Invalid("ASCOLTO_SMTP_OUT has a port that is no number.", field="ASCOLTO_SMTP_OUT") from error
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise Invalid("Write ASCOLTO_SMTP_OUT as smtp://host:port or smtps://host:port.", field="ASCOLTO_SMTP_OUT")
    wants = parse_qs(parts.query).get("starttls", ["0"])[0] in {"1", "true", "yes", "on"}
    tls = "implicit" if parts.scheme == "smtps" else ("starttls" if wants else "none")
    return Relay(
        parts.hostname, port or {"implicit": 465, "starttls": 587}.get(tls, 25), tls, unquote(parts.username or ""), unquote(parts.password or "")
    )  # fmt: skip


def connect(relay: Relay) -> smtplib.SMTP:
    """A session, encrypted and signed in. Raises `NotSent`: nothing was handed over yet."""
    try:
        context = ssl.create_default_context()
        if relay.tls == "implicit":
            server: smtplib.SMTP = smtplib.SMTP_SSL(relay.host, relay.port, timeout=_TIMEOUT_S, context=context)
        else:
            server = smtplib.SMTP(relay.host, relay.port, timeout=_TIMEOUT_S)
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent(f"The outgoing server {relay.host} cannot be reached.", retry=True) from error
    try:
        server.ehlo_or_helo_if_needed()
        if relay.tls == "starttls":
            server.starttls(context=context)
            server.ehlo()
        if relay.user:
            server.login(relay.user, relay.password)
    except smtplib.SMTPAuthenticationError as error:
        server.close()
        temporary = 400 <= error.smtp_code < 500
        raise NotSent("The outgoing server refuses user name and password.", retry=temporary, account=True) from error
    except smtplib.SMTPNotSupportedError as error:
        server.close()
        raise NotSent(
            "The outgoing server does not offer encryption or sign-in as set.", retry=False, account=True
        ) from error
    except ssl.SSLError as error:
        server.close()
        raise NotSent("The outgoing server's certificate is not trusted.", retry=True, account=True) from error
    except (OSError, smtplib.SMTPException) as error:
        server.close()
        raise NotSent(f"The outgoing server {relay.host} hung up.", retry=True) from error
    return server


def submit(relay: Relay, sender: str, recipients: Sequence[str], mail: bytes, *, message_id: str) -> Receipt:
    """Hands the mail over once. Raises `NotSent` (4xx: retry, 5xx: failed) or `Uncertain` (lost after the final dot)."""
    server = connect(relay)
    try:
        refused = _envelope(server, sender, recipients, len(mail))
        _data(server, mail)
    finally:
        server.close()
    return Receipt(external_id=message_id, refused=refused)


def _envelope(server: smtplib.SMTP, sender: str, recipients: Sequence[str], size: int) -> tuple[str, ...]:
    refused: dict[str, tuple[int, str]] = {}
    try:
        options = [f"size={size}"] if server.has_extn("size") else []
        code, answer = server.mail(sender, options)
        if code != 250:
            raise _refusal(code, answer, "the sender")
        for recipient in recipients:
            code, answer = server.rcpt(recipient)
            if code not in {250, 251}:
                refused[recipient] = (code, answer.decode("utf-8", "replace"))
        if len(refused) == len(recipients):
            temporary = any(400 <= code < 500 for code, _answer in refused.values())
            gone = [] if temporary else [one for one, (_code, said) in refused.items() if _GONE.search(said)]
            code, said = next(iter(refused.values()))
            raise NotSent(f"No recipient was accepted: {_shown(code, said)}", retry=temporary, recipients_gone=gone)
        code, answer = server.docmd("DATA")
        if code != 354:
            raise _refusal(code, answer, "the mail")
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent("The outgoing server hung up before the mail was handed over.", retry=True) from error
    return tuple(refused)


def _data(server: smtplib.SMTP, mail: bytes) -> None:
    stuffed = re.sub(rb"(?m)^\.", b"..", mail)
    if not stuffed.endswith(b"\r\n"):
        stuffed += b"\r\n"
    try:
        server.send(stuffed)
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent("The connection was lost before the end of the mail.", retry=True) from error
    try:
        server.send(b".\r\n")
        code, answer = server.getreply()
    except (OSError, smtplib.SMTPException) as error:
        raise Uncertain("The connection was lost after the mail was handed over: it may have been sent.") from error
    if code == -1:
        raise Uncertain("The outgoing server's answer could not be read: the mail may have been sent.")
    if code != 250:
        raise _refusal(code, answer, "the mail")


def _refusal(code: int, answer: bytes, what: str) -> NotSent:
    said = answer.decode("utf-8", "replace")
    if code == -1:
        return NotSent("The outgoing server hung up before the mail was handed over.", retry=True)
    return NotSent(f"The outgoing server refuses {what}: {_shown(code, said)}", retry=400 <= code < 500 or code == 421)


def _shown(code: int, said: str) -> str:
    """A server's sentence fit for an agent: one line, no control characters, no address in it."""
    plain = "".join(ch if ch.isprintable() else " " for ch in said)
    return f"{code} {re.sub(r'[^ <>]+@[^ <>]+', '…', plain)}"[:300].strip()
