"""Tells people of alerts: by e-mail through the installation's relay, by webhook signed as Standard Webhooks says.

Both say it in the language of the alert's brand; a mail comes from the brand's own mailbox where it has one.

Each notice is a row with a unique cause, claimed before the wire; a lost answer is tried again with the same id, which
receivers tell apart by.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import smtplib
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from functools import partial
from urllib.parse import parse_qs, unquote, urlsplit

from services.kit import log
from services.kit.clock import Clock, SetBack
from services.kit.egress import Egress
from services.kit.errors import AscoltoError, Unavailable
from services.kit.secrets import SecretBox
from services.kit.uow import Database, Uow
from services.social.store import alerts, config
from services.social.store.alerts import Alert
from services.social.store.config import Notice, Notifier
from services.social.store.rows import micros
from services.social.telling import Voice, line, sentence, subject, whom

_LOOK_S = 1.0
_CLAIM_US = 120_000_000
# Source: Standard Webhooks, section "Deliverability and reliability": growing pauses over more than a day.
_PAUSES_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000)
_TIMEOUT_S = 20
_LINES = {"sent": "told", "failed": "not_told"}  # of the alert's timeline
_TYPES = {"raised": "raised", "escalated": "escalated"}


@dataclass(frozen=True, slots=True)
class Outlets:
    """Ways out: `relay` is a URL as in ASCOLTO_SMTP_OUT, `desk_url` where the alert is read.

    `voice_of` tells how a brand speaks; `sender` writes where a brand has no mailbox of its own.
    """

    egress: Egress
    relay: str
    desk_url: str
    voice_of: Callable[[str], Voice]
    sender: str


class NotifierWorker:
    """Sends what is due; a `Worker`."""

    name = "notices"

    def __init__(self, database: Database, secrets: SecretBox, clock: Clock, outlets: Outlets) -> None:
        self._database, self._secrets, self._clock, self._outlets = database, secrets, clock, outlets
        self._log = log.logger("social")
        self._set_back = SetBack(clock)

    def run(self, stop: threading.Event) -> None:
        """Looks each second for notices whose time has come."""
        while not stop.is_set():
            if not self.run_once():
                stop.wait(_LOOK_S)

    def run_once(self) -> int:
        """Sends what is due now; returns how many were tried."""
        now_us = micros(self._clock.now())
        if self._set_back.seen():
            self._database.write(partial(config.hasten_notices, latest_us=now_us + _CLAIM_US))
        with self._database.read() as reader:
            due = config.list_due(reader, now_us)
        return sum(self._send(notice, now_us) for notice in due)

    def _send(self, notice: Notice, now_us: int) -> bool:
        until_us = now_us + _CLAIM_US
        if not self._database.write(lambda uow: config.claim_notice(uow, notice.id, now_us=now_us, until_us=until_us)):
            return False
        with self._database.read() as reader:
            notifier = config.find_notifier(reader, notice.notifier_id)
            alert = alerts.find_alert(reader, notice.alert_id)
        state, error, pause_s = "failed", "The notifier or the alert is gone.", 0
        if notifier is not None and alert is not None:
            state, error, pause_s = self._outcome(notice, notifier, alert)
        due_us = micros(self._clock.now()) + pause_s * 1_000_000
        done_us = micros(self._clock.now())

        def write(uow: Uow) -> None:
            config.told(uow, notice, state=state, error=error, due_us=due_us, now_us=done_us)
            if notifier is not None and state in _LINES:
                detail = whom(notifier) + (f": {error}" if error else "")
                alerts.note(uow, notice.alert_id, at_us=done_us, act=_LINES[state], detail=detail[:500])

        self._database.write(write)
        return True

    def _outcome(self, notice: Notice, notifier: Notifier, alert: Alert) -> tuple[str, str, int]:
        try:
            if notifier.kind == "email":
                self._mail(notice, notifier, alert)
            else:
                self._post(notice, notifier, alert)
        except (AscoltoError, OSError, smtplib.SMTPException) as error:
            reason = error.message if isinstance(error, AscoltoError) else f"{type(error).__name__}: {error}"
            self._log.warning("notice.failed", notice_id=notice.id, attempts=notice.attempts + 1)
            if notice.attempts >= len(_PAUSES_S):
                return "failed", reason[:500], 0
            return "waiting", reason[:500], _PAUSES_S[notice.attempts]
        return "sent", "", 0

    def _mail(self, notice: Notice, notifier: Notifier, alert: Alert) -> None:
        relay = urlsplit(self._outlets.relay)
        if not relay.hostname:
            raise Unavailable("No relay for outgoing mail is set (ASCOLTO_SMTP_OUT).")
        now, voice = self._clock.now(), self._outlets.voice_of(alert.brand_id)
        sender = voice.address or self._outlets.sender
        mail = EmailMessage()
        mail["From"], mail["To"] = formataddr((line(voice.name, 100) or "Ascolto", sender)), notifier.target
        mail["Subject"] = subject(alert, voice)
        mail["Date"] = format_datetime(now.astimezone(voice.zone))
        mail["Message-ID"] = f"<{notice.id}@{sender.partition('@')[2]}>"
        # Source: RFC 3834, section 5: nobody's absence note shall answer it.
        mail["Auto-Submitted"], mail["X-Auto-Response-Suppress"] = "auto-generated", "All"
        mail.set_content(f"{sentence(alert, voice, now)}\n\n{self._outlets.desk_url}/alerts/{alert.id}\n")
        mail["Content-Language"] = voice.spoken
        starttls = parse_qs(relay.query).get("starttls", ["0"])[0] in {"1", "true", "yes", "on"}
        context, port = ssl.create_default_context(), relay.port or (587 if starttls else 25)
        with (
            smtplib.SMTP_SSL(relay.hostname, relay.port or 465, timeout=_TIMEOUT_S, context=context)
            if relay.scheme == "smtps"
            else smtplib.SMTP(relay.hostname, port, timeout=_TIMEOUT_S)
        ) as client:
            if starttls:
                client.starttls(context=context)
            if relay.username:
                client.login(unquote(relay.username), unquote(relay.password or ""))
            client.send_message(mail)

    def _post(self, notice: Notice, notifier: Notifier, alert: Alert) -> None:
        now, voice = self._clock.now(), self._outlets.voice_of(alert.brand_id)
        body = json.dumps(
            {
                "type": f"alert.{_TYPES.get(notice.cause.partition(':')[0], 'updated')}",
                "timestamp": now.isoformat(),
                "data": {
                    "id": alert.id,
                    "number": alert.number,
                    "version": alert.version,
                    "severity": alert.severity,
                    "state": alert.state,
                    "watch": alert.watch_name,
                    "count": alert.count,
                    "reach": alert.reach,
                    "sentence": sentence(alert, voice, now),
                    "language": voice.spoken,
                    "url": f"{self._outlets.desk_url}/alerts/{alert.id}",
                },
            }
        ).encode()
        secret = self._secrets.open(notifier.secret, owner=notifier.id)
        stamp = str(int(now.timestamp()))
        headers = {
            "content-type": "application/json",
            "webhook-id": notice.id,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{sign(secret, notice.id, stamp, body)}",
        }
        answer = self._outlets.egress.request(
            "POST", notifier.target, headers=headers, content=body, timeout_s=_TIMEOUT_S, max_bytes=64 * 1024
        )
        if not 200 <= answer.status < 300:
            raise Unavailable(f"The webhook answers {answer.status}.")


def sign(secret: str, message_id: str, stamp: str, body: bytes) -> str:
    """Base64 of HMAC-SHA256 over `id.timestamp.body`. Source: Standard Webhooks, "Signature scheme"."""
    key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    return base64.b64encode(hmac.new(key, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()).decode()
