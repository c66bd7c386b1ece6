"""Every customer's mail server in one: an SMTP sink that keeps what it accepts, and can fail on purpose."""

from __future__ import annotations

import asyncio
import email
import email.policy
import threading
from collections import deque
from dataclasses import dataclass, field
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, Envelope, Session

from services.kit.config import HostPort
from services.kit.http import bind


@dataclass(frozen=True, slots=True)
class Delivered:
    """One accepted mail, once per transaction."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        """Parsed by the standard library, independently of the product's own parser."""
        parsed = email.message_from_bytes(self.raw, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def text(self) -> str:
        """Its plain text."""
        part = self.message.get_body(("plain",))
        return str(part.get_content()) if part else ""


@dataclass(slots=True)
class SimulatedMailServer:
    """Listens on loopback. `fail_next`: `cut-before` and `cut-after` the final dot, `4xx`, `5xx`, `hang`."""

    host: str = "127.0.0.1"
    port: int = 0
    delivered: list[Delivered] = field(default_factory=list)
    _faults: deque[str] = field(default_factory=deque)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _server: asyncio.Server | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None
    _release: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Accepts mail from now on; `port` says where."""
        mails = self

        class Handler:
            async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (named by the library)
                return await mails._take(server, session, envelope)

        listener = bind(HostPort(self.host, self.port), "The demo's mail server")
        self.port = listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="demo-mail", daemon=True)
        self._thread.start()

        async def serve() -> asyncio.Server:
            return await asyncio.get_running_loop().create_server(
                lambda: SMTP(Handler(), data_size_limit=60_000_000, enable_SMTPUTF8=True), sock=listener
            )

        self._server = asyncio.run_coroutine_threadsafe(serve(), self._loop).result(10)

    def stop(self) -> None:
        """Stops listening."""
        self._release.set()
        if self._server is None or self._loop is None or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._end(self._server), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @staticmethod
    async def _end(server: asyncio.Server) -> None:
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    def fail_next(self, *kinds: str) -> None:
        """The next mails meet these faults, one each."""
        self._faults.extend(kinds)

    def wait_for(self, recipient: str, *, count: int = 1, timeout_s: float = 20.0) -> list[Delivered]:
        """The mails to an address, once there are `count` of them. Raises `TimeoutError` when they do not come."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.to(recipient)) >= count, timeout_s):
                raise TimeoutError(f"{len(self.to(recipient))} of {count} mails reached {recipient} in {timeout_s} s.")
            return self.to(recipient)

    def to(self, recipient: str) -> list[Delivered]:
        """The mails to an address so far, oldest first."""
        return [one for one in self.delivered if recipient.lower() in (to.lower() for to in one.recipients)]

    async def _take(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        fault = self._faults.popleft() if self._faults else ""
        if fault == "4xx":
            return "451 4.3.0 Try again later"
        if fault == "5xx":
            return "550 5.1.1 No such mailbox"
        if fault == "cut-before":
            self._cut(server)
            return "451 cut"
        if fault == "hang":
            await asyncio.to_thread(self._release.wait, 120)
            return "451 late"
        content = envelope.content
        raw = content if isinstance(content, bytes) else str(content).encode()
        with self._changed:
            self.delivered.append(Delivered(envelope.mail_from or "", tuple(envelope.rcpt_tos), raw))
            self._changed.notify_all()
        if fault == "cut-after":
            self._cut(server)
        return "250 2.0.0 Accepted"

    @staticmethod
    def _cut(server: SMTP) -> None:
        if isinstance(server.transport, asyncio.Transport):
            server.transport.abort()
