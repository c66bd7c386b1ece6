"""The SMTP and LMTP listener: an answer of 250 means that the mail is committed. Its own thread and event loop.

It knows nothing of tickets: who is at an address, and where mail goes, is told by the `Door`. Never relays.
Source: RFC 5321, RFC 2033 (LMTP), RFC 1870 (SIZE), RFC 3463 (codes).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from services.intake.listeners.smtp_data import NO_ROOM, SpoolingSmtp
from services.intake.mail import keys, limits
from services.intake.mail.tokens import is_bounce_address
from services.intake.parser_process import SUSPECT_BYTES
from services.intake.ports import Door, RawContact, Route
from services.kit import log
from services.kit.config import HostPort
from services.kit.errors import AscoltoError, Forbidden, Unavailable
from services.kit.http import bind
from services.kit.spool import Content, Spool, SpoolWriter

_log = log.logger("intake")
_RECIPIENTS = 1_000
_SESSION_S = 300.0  # silence after which a session is closed (RFC 5321, section 4.5.3.2.7)
_GATHER = 100  # mails of parallel sessions handed over in one call
_MAIL_CHARS = 998


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerOptions:
    """How to listen. `per_minute` limits one outside address; loopback is bounded by back-pressure alone."""

    where: HostPort
    spool: Spool
    lmtp: bool = False
    host_name: str = "localhost"
    per_minute: int = 120
    max_bytes: int = limits.RAW_BYTES
    tls: ssl.SSLContext | None = None


class SmtpListener:
    """A `Worker`: listens until told to stop. `port` is the one taken, known once `ready` is set."""

    def __init__(self, door: Door, options: ListenerOptions) -> None:
        self.name = "lmtp" if options.lmtp else "smtp"
        self.ready = threading.Event()
        self.port = 0
        self._options = options
        self._door = door
        self.handler: Handler | None = None
        self._socket: socket.socket | None = None

    def prepare(self) -> None:
        """Takes the address, so that a wrong one is told before anything runs. Raises `Unavailable` when it is taken."""
        self._socket = self._bound()

    def _bound(self) -> socket.socket:
        return bind(self._options.where, "ASCOLTO_LMTP" if self._options.lmtp else "ASCOLTO_SMTP")

    def run(self, stop: threading.Event) -> None:
        """Listens until `stop`. Raises `Unavailable` when the address is taken. Sessions in the middle end with 421."""
        asyncio.run(self._serve(stop))

    async def _serve(self, stop: threading.Event) -> None:
        loop = asyncio.get_running_loop()
        options = self._options
        with ThreadPoolExecutor(max_workers=2, thread_name_prefix=self.name) as pool:
            handler = self.handler = Handler(self._door, options, pool)
            taken, self._socket = self._socket or self._bound(), None
            server = await loop.create_server(lambda: _protocol(handler, options, loop), sock=taken)
            self.port = server.sockets[0].getsockname()[1]
            self.ready.set()
            _log.info("smtp.listening", port=self.port, lmtp=options.lmtp)
            try:
                await loop.run_in_executor(None, stop.wait)
            finally:
                self.ready.clear()
                server.close()
                await handler.finish()


def _protocol(handler: Handler, options: ListenerOptions, loop: asyncio.AbstractEventLoop) -> asyncio.Protocol:
    kind: Any = _Lmtp if options.lmtp else SpoolingSmtp
    protocol: asyncio.Protocol = kind(
        handler,
        data_size_limit=options.max_bytes,
        enable_SMTPUTF8=True,
        decode_data=False,
        hostname=options.host_name,
        ident="Ascolto",
        tls_context=options.tls,
        timeout=_SESSION_S,
        loop=loop,
    )
    return protocol


class _Lmtp(SpoolingSmtp, LMTP):
    """The same under LMTP's greeting."""


class _Rate:
    """Mails per outside address in the running minute. Memory is bounded; it only protects the processor."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._seen: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def allows(self, peer: str) -> bool:
        minute = int(time.monotonic() // 60)
        of, count = self._seen.pop(peer, (minute, 0))
        count = count + 1 if of == minute else 1
        self._seen[peer] = (minute, count)
        while len(self._seen) > 10_000:
            self._seen.popitem(last=False)
        return count <= self._per_minute


class Handler:
    """The decisions of a session, in the form aiosmtpd asks for them. Runs on the listener's loop."""

    def __init__(self, door: Door, options: ListenerOptions, pool: ThreadPoolExecutor) -> None:
        self._door = door
        self._options = options
        self._pool = pool
        self._rate = _Rate(options.per_minute)
        self._waiting: list[tuple[Sequence[RawContact], asyncio.Future[None]]] = []
        self._busy = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def handle_RCPT(  # noqa: N802 (aiosmtpd looks the handler up by this name)
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Only our own addresses. Source: RFC 3463, section 3.2 for the codes."""
        if len(envelope.rcpt_tos) >= _RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        loop = asyncio.get_running_loop()
        try:
            routes = await loop.run_in_executor(self._pool, self._door.accounts_for_address, address)
        except AscoltoError:
            return "451 4.3.0 The list of addresses cannot be read now, try again later"
        if not routes:
            return "550 5.1.1 No such address here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    def writer(self, session: Session, envelope: Envelope) -> SpoolWriter:
        """Where a mail is gathered, our trace lines before it. What is large for the parser does not stay in memory."""
        writer = self._options.spool.writer(in_memory=SUSPECT_BYTES)
        writer.write(_trace(session, envelope, _peer(session), self._options))
        return writer

    async def take(self, session: Session, envelope: Envelope, writer: SpoolWriter) -> str:
        """Stores the mail for each account it is for; answers after the commit. A failure of ours never answers 5xx."""
        try:
            return await self._take(session, envelope, writer.content())
        except Forbidden as error:
            return f"550 5.2.1 {_clean(error.message)}"
        except Unavailable:
            return NO_ROOM
        except Exception as error:  # noqa: BLE001 (the library would answer 500, and the sender would give up)
            _log.error("smtp.failed", error=type(error).__name__)
            return "451 4.3.0 It could not be stored, try again later"

    async def _take(self, session: Session, envelope: Envelope, raw: Content) -> str:
        began = time.monotonic()
        peer = _peer(session)
        if not _is_loopback(peer) and not self._rate.allows(peer):
            return "450 4.7.1 Too many mails from your address, try again in a minute"
        if keys.hops(raw) > limits.RECEIVED + 1:  # one is ours
            return "554 5.4.6 Too many hops, this mail goes in circles"
        loop = asyncio.get_running_loop()
        contacts = await loop.run_in_executor(self._pool, self._contacts, raw, session, envelope, peer)
        if not contacts:
            return "550 5.1.1 No such address here"
        await self._accepted(contacts)
        _log.info("smtp.accepted", duration_ms=round((time.monotonic() - began) * 1000, 1), accounts=len(contacts), size_bytes=len(raw))  # fmt: skip
        return "250 2.0.0 OK, it is stored"

    def _contacts(self, raw: Content, session: Session, envelope: Envelope, peer: str) -> list[RawContact]:
        """One raw contact for each account among the recipients; a bounce address goes to the first account there."""
        by_account: dict[str, list[str]] = {}
        for address in envelope.rcpt_tos:
            routes = self._door.accounts_for_address(address)
            for route in routes[:1] if is_bounce_address(address) else routes:
                by_account.setdefault(route.account_id or _first(routes), []).append(address)
        key = keys.transport_key(raw)
        sender = envelope.mail_from or ""
        return [
            RawContact(
                account_id=account_id, transport_key=key, body=raw, media_type="message/rfc822",
                meta={"mail_from": sender[:_MAIL_CHARS], "rcpt_to": " ".join(addresses)[:20_000], "peer": peer, "helo": (session.host_name or "")[:255]},
            )
            for account_id, addresses in by_account.items()
        ]  # fmt: skip

    async def _accepted(self, contacts: Sequence[RawContact]) -> None:
        """Hands the mail over together with what other sessions wait for; returns after the commit."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((contacts, done))
        if self._busy < 2:  # one call commits while the next gathers
            self._busy += 1
            task = asyncio.create_task(self._hand_over())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await done

    async def _hand_over(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:_GATHER], self._waiting[_GATHER:]
                await self._store(loop, group)
        finally:
            self._busy -= 1

    async def _store(
        self, loop: asyncio.AbstractEventLoop, group: list[tuple[Sequence[RawContact], asyncio.Future[None]]]
    ) -> None:
        flat = [contact for contacts, _done in group for contact in contacts]
        try:
            accepted = await loop.run_in_executor(None, self._door.accept, flat)
        except Exception as error:  # noqa: BLE001 (each session answers for itself, and says 451 or 452)
            for _contacts, done in group:
                if not done.done():
                    done.set_exception(error)
            return
        results = iter(accepted)
        for contacts, done in group:
            refused = [one for one in (next(results) for _contact in contacts) if one.error]
            if done.done():
                continue
            if refused and all(one.kind == "forbidden" for one in refused) and len(refused) == len(contacts):
                done.set_exception(Forbidden(refused[0].error))  # switched off: the sender is told so, for good
            elif any(one.kind != "forbidden" for one in refused):
                done.set_exception(Unavailable(refused[0].error))
            else:
                done.set_result(None)

    async def finish(self) -> None:
        """Waits for what is being stored, at most 5 s."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5.0)


def _first(routes: Sequence[Route]) -> str:
    return next((route.account_id for route in routes if route.account_id), "")


def _peer(session: Session) -> str:
    return str(session.peer[0]) if session.peer else ""


def _is_loopback(peer: str) -> bool:
    try:
        return ipaddress.ip_address(peer.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _clean(text: str) -> str:
    return (
        "".join(ch for ch in text if ch.isprintable() and ch not in "<>()\\")[:255]
        .encode("ascii", "replace")
        .decode("ascii")
    )


def _trace(session: Session, envelope: Envelope, peer: str, options: ListenerOptions) -> bytes:
    """Return-Path and Received, as the server that makes the final delivery adds them. Source: RFC 5321, section 4.4."""
    protocol = "LMTP" if options.lmtp else ("ESMTP" if session.extended_smtp else "SMTP")
    if session.ssl is not None:
        protocol += "S"
    stamp = format_datetime(datetime.now(UTC))
    sender = (envelope.mail_from or "").replace("\r", "").replace("\n", "")
    lines = (
        f"Return-Path: <{sender}>\r\n"
        f"Received: from {_clean(session.host_name or 'unknown')} ([{_clean(peer)}]) by {_clean(options.host_name)} with {protocol};\r\n {stamp}\r\n"
    )
    return lines.encode("utf-8", "replace")
