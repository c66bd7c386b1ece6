"""The text of a mail as it comes over the wire: read in pieces, into memory while small, into a file beyond.

The library keeps a mail as a list of its lines: three times its size, all of it in memory.
Source: RFC 5321, sections 4.1.1.4 (DATA) and 4.5.2 (transparency).
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session, syntax

from services.kit.errors import Unavailable
from services.kit.spool import PIECE_BYTES, SpoolWriter

NO_ROOM = "452 4.3.1 Storage is not available now, try again later"
_DOT = b".\r\n"
_BEGIN = b"\r\n"  # the text begins on a line of its own
_END = _BEGIN + _DOT


class Takes(Protocol):
    """What the session asks its handler."""

    def writer(self, session: Session, envelope: Envelope) -> SpoolWriter:
        """Where the text goes; what goes before it may be written already."""
        ...

    async def take(self, session: Session, envelope: Envelope, writer: SpoolWriter) -> str:
        """The answer, once the mail is whole."""
        ...


class Text:
    """Takes the pieces of a mail's text in order; `ended` once the line of a single dot came, which is not part of it."""

    def __init__(self) -> None:
        self.ended = False
        self._before = _BEGIN  # the last bytes as they came
        self._held = b""  # half a line end

    def add(self, piece: bytes) -> bytes:
        """What the piece adds to the mail: dots that were doubled are single again."""
        new_line = self._before.endswith(_BEGIN)
        self._before = (self._before + piece)[-len(_END) :]
        self.ended = self._before == _END
        text = self._held + (piece[: -len(_DOT)] if self.ended else piece)
        self._held = b"\r" if text.endswith(b"\r") else b""
        text = text[: len(text) - len(self._held)]
        if new_line and text.startswith(b"."):
            text = text[1:]
        return text.replace(b"\r\n.", b"\r\n")


class SpoolingSmtp(SMTP):
    """The library's session, but for DATA. Its handler is a `Takes`."""

    line_length_limit = PIECE_BYTES  # how much the library's reader holds; a longer line is read in pieces

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 (the library looks the command up by this name)
        """Reads the text, then asks the handler for the answer."""
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        session, envelope = self.session, self.envelope
        if session is None or envelope is None or not envelope.rcpt_tos or arg:
            await self.push("501 Syntax: DATA" if arg else "503 Error: need RCPT command")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        handler: Takes = self.event_handler
        writer = handler.writer(session, envelope)
        try:
            answer = await self._read(writer) or await handler.take(session, envelope, writer)
        finally:
            writer.close()
        self._set_post_data_state()  # type: ignore[no-untyped-call]  # the library's own, without types
        if isinstance(self, LMTP):
            answer = "\r\n".join([answer] * len(envelope.rcpt_tos))
        await self.push(answer)

    async def _read(self, writer: SpoolWriter) -> str:
        """All of the text into `writer`; a refusal when it is too much or finds no room, told once it was read to its end."""
        loop, text, refusal = asyncio.get_running_loop(), Text(), ""
        most = writer.size + (self.data_size_limit or 0)
        while not text.ended:
            try:
                piece = await self._reader.readuntil(_DOT)
            except asyncio.LimitOverrunError as longer:
                piece = await self._reader.read(longer.consumed)
            more = text.add(piece)
            if refusal:
                continue
            if writer.size + len(more) > most:
                refusal = "552 5.3.4 The mail is larger than is taken here"
                writer.close()
                continue
            try:
                if writer.size + len(more) <= PIECE_BYTES:
                    writer.write(more)
                else:
                    await loop.run_in_executor(None, writer.write, more)  # a disk may be slow
            except Unavailable:
                refusal = NO_ROOM
        return refusal
