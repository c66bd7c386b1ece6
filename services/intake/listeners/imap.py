"""Reads a mailbox by IMAP: every folder set, by UIDVALIDITY and UID alone, with IDLE and a regular look besides.

Nothing is changed in the mailbox: folders are opened read-only, the mark of having been read is neither set nor looked at. The cursor is
stored after the data, so a crash repeats mails, which the content key absorbs; so does a changed UIDVALIDITY.
Source: RFC 9051 (2.3.1, 6.4), RFC 2177 (IDLE).
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError, LoginError

from services.intake.mail import keys, limits
from services.intake.parser_process import SUSPECT_BYTES
from services.intake.ports import Account, Feed, Mode, RawContact
from services.kit.clock import Clock
from services.kit.errors import Invalid, Unavailable
from services.kit.spool import Content, Spool

_TIMEOUT_S = 60.0
_IDLE_S = 300.0  # re-issued well before the 29 minutes of the RFC: routers forget quiet connections earlier
_STEP_S = 0.5  # how soon a stop is noticed
_BATCH = 200  # mails whose sizes are asked for at once
_BATCH_BYTES = 8 * 1024 * 1024
_OLD = timedelta(days=2)  # mail older than this at the first look is imported: it opens tickets, it notifies nobody
_NOWHERE = (0, 0, 0)
_BODY = b"BODY[]"
_HEADER_ONLY = b"BODY[HEADER]"
_PIECE_BYTES = 1024 * 1024  # of a large mail, asked for at once


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where the mailbox is. `tls` is implicit, starttls or none."""

    host: str
    port: int
    tls: str
    user: str
    password: str = field(repr=False)
    folders: tuple[str, ...] = ("INBOX",)
    poll_s: float = 60.0

    @classmethod
    def of(cls, account: Account) -> Mailbox:
        """The account's mailbox. Raises `Invalid` naming the setting at fault."""
        tls = account.setting("imap_tls", "implicit")
        if tls not in {"implicit", "starttls", "none"}:
            raise Invalid("The encryption of the mailbox must be implicit, starttls or none.", field="imap_tls")
        port = account.setting("imap_port", "993" if tls == "implicit" else "143")
        poll = account.setting("imap_poll_s", "60")
        if not port.isdigit() or not 0 < int(port) < 65_536:
            raise Invalid("The port of the mailbox is not a number from 1 to 65535.", field="imap_port")
        if not poll.isdigit() or int(poll) < 1:
            raise Invalid("The seconds between two looks must be a number from 1.", field="imap_poll_s")
        folders = tuple(one.strip() for one in account.setting("imap_folders", "INBOX").split(",") if one.strip())
        return cls(
            account.setting("imap_host"), int(port), tls, account.setting("imap_user") or account.address,
            account.secrets.get("imap_password", ""), folders or ("INBOX",), float(poll),
        )  # fmt: skip

    def open(self) -> Any:
        """A signed-in session. Raises `Invalid` when the login is refused, `Unavailable` when the server is away."""
        context = ssl.create_default_context() if self.tls != "none" else None
        client: Any  # the library carries no types
        try:
            client = IMAPClient(self.host, self.port, ssl=self.tls == "implicit", ssl_context=context if self.tls == "implicit" else None, timeout=_TIMEOUT_S)  # fmt: skip
        except (OSError, IMAPClientError) as error:
            raise Unavailable(f"The mailbox server {self.host} cannot be reached.") from error
        try:
            if self.tls == "starttls":
                client.starttls(context)
            client.login(self.user, self.password)
        except LoginError as error:
            client.shutdown()
            if "UNAVAILABLE" in str(error).upper() or "THROTTL" in str(error).upper():
                raise Unavailable("The mailbox server asks to come back later.") from error
            raise Invalid("The mailbox refuses user name and password.", field="imap_password") from error
        except (OSError, IMAPClientError) as error:
            client.shutdown()
            raise Unavailable(f"The mailbox server {self.host} hung up.") from error
        return client

    def look(self) -> str:
        """Opens every folder once; says what is there. Raises `Invalid` or `Unavailable`."""
        client = self.open()
        try:
            counts = [f"{folder}: {_selected(client, folder).count}" for folder in self.folders]
        finally:
            _leave(client)
        return ", ".join(counts)


@dataclass(frozen=True, slots=True)
class _Folder:
    validity: int
    next_uid: int
    count: int


class Poller:
    """Brings a mailbox's mail in until stopped."""

    def __init__(self, mailbox: Mailbox, account_id: str, feed: Feed, clock: Clock, spool: Spool) -> None:
        self._spool = spool
        self._mailbox = mailbox
        self._account_id = account_id
        self._feed = feed
        self._clock = clock
        self._cursor = _read_cursor(feed.cursor())

    def run(self, stop: threading.Event) -> None:
        """Reads, then waits for news or the next look. Raises `Unavailable` when the server is away, `Invalid` on a refusal."""
        client = self._mailbox.open()
        try:
            while not stop.is_set():
                for folder in self._mailbox.folders:
                    self._drain(client, folder, stop)
                self._feed.succeeded()
                self._wait(client, stop)
        except IMAPClientError as error:
            raise Unavailable(
                f"The mailbox server {self._mailbox.host} answers with an error: {_short(error)}"
            ) from error
        except OSError as error:
            raise Unavailable(f"The mailbox server {self._mailbox.host} hung up.") from error
        finally:
            _leave(client)

    def _wait(self, client: Any, stop: threading.Event) -> None:
        """Until the first folder tells of something new, the next look is due, or `stop`."""
        until = self._clock.monotonic() + min(self._mailbox.poll_s, _IDLE_S)
        if not client.has_capability("IDLE"):
            client.noop()
            stop.wait(max(0.0, until - self._clock.monotonic()))
            return
        folder = self._mailbox.folders[0]
        state = _selected(client, folder)
        if (state.validity, state.next_uid - 1) != self._cursor.get(folder, _NOWHERE)[:2]:
            return  # it came between the look and now
        client.idle()
        try:
            while not stop.is_set() and self._clock.monotonic() < until:
                if any(
                    isinstance(one, tuple) and one[1:2] == (b"EXISTS",) for one in client.idle_check(timeout=_STEP_S)
                ):
                    return
        finally:
            client.idle_done()

    def _drain(self, client: Any, folder: str, stop: threading.Event) -> None:
        """Takes in what is new in a folder, in batches; the cursor moves after each."""
        state = _selected(client, folder)
        validity, last, backlog = self._cursor.get(folder, _NOWHERE)
        if validity != state.validity:
            # Another mailbox under the same name: all of it is looked at, and the content key knows what is known.
            last, backlog = 0, state.next_uid
        while not stop.is_set():
            found = sorted(uid for uid in client.search(["UID", f"{last + 1}:*"]) if uid > last)
            for group in _groups(client, found):
                if stop.is_set():
                    return
                self._take(client, group, backlog=backlog)
                last = group[-1][0]
                self._move(folder, (state.validity, last, backlog))
            if not found:
                self._move(folder, (state.validity, max(last, state.next_uid - 1), backlog))
                return

    def _move(self, folder: str, place: tuple[int, int, int]) -> None:
        if self._cursor.get(folder) != place:
            self._cursor[folder] = place
            self._feed.move(json.dumps({name: list(at) for name, at in self._cursor.items()}, sort_keys=True))

    def _take(self, client: Any, group: Sequence[tuple[int, int, datetime | None]], *, backlog: int) -> None:
        now = self._clock.now()
        small = [uid for uid, size, _when in group if size <= SUSPECT_BYTES]
        large = [uid for uid, size, _when in group if SUSPECT_BYTES < size <= limits.RAW_BYTES]
        too_large = [uid for uid, size, _when in group if size > limits.RAW_BYTES]
        bodies: dict[int, Any] = {}
        if small:
            bodies.update(client.fetch(small, ["BODY.PEEK[]"]))
        bodies.update({uid: {_BODY: self._in_pieces(client, uid)} for uid in large})
        if too_large:
            bodies.update(client.fetch(too_large, ["BODY.PEEK[HEADER]"]))
        raws: list[RawContact] = []
        for uid, _size, when in group:
            parts = bodies.get(uid, {})
            body = parts.get(_BODY) or parts.get(_HEADER_ONLY)
            if not body:
                continue  # deleted between the search and the fetch
            old = uid < backlog and when is not None and now - when > _OLD
            raws.append(
                RawContact(
                    account_id=self._account_id, transport_key=keys.transport_key(body), body=body, media_type="message/rfc822",
                    meta={"truncated": "1"} if _BODY not in parts else {}, received_at=when if old else None,
                    mode=Mode.IMPORT if old else Mode.LIVE,
                )
            )  # fmt: skip
        for accepted in self._feed.accept(raws) if raws else []:
            if accepted.error:
                raise Unavailable(accepted.error)

    def _in_pieces(self, client: Any, uid: int) -> Content:
        """A large mail, without holding it; empty when it was deleted meanwhile. Source: RFC 9051, section 6.4.5."""
        writer = self._spool.writer(in_memory=SUSPECT_BYTES)
        while writer.size <= limits.RAW_BYTES:
            told = client.fetch([uid], [f"BODY.PEEK[]<{writer.size}.{_PIECE_BYTES}>"]).get(uid, {})
            name = b"BODY[]<%d>" % writer.size
            if name not in told:
                writer.close()
                return b""
            piece = told[name] or b""
            writer.write(piece)
            if len(piece) < _PIECE_BYTES:
                break
        return writer.content()


def _groups(client: Any, uids: Sequence[int]) -> Iterator[list[tuple[int, int, datetime | None]]]:
    """Uids with size and arrival, in groups that fit into memory."""
    for start in range(0, len(uids), _BATCH):
        told: dict[int, Any] = client.fetch(uids[start : start + _BATCH], ["RFC822.SIZE", "INTERNALDATE"])
        group: list[tuple[int, int, datetime | None]] = []
        total = 0
        for uid in uids[start : start + _BATCH]:
            size = int(told.get(uid, {}).get(b"RFC822.SIZE", 0))
            if group and total + size > _BATCH_BYTES:
                yield group
                group, total = [], 0
            group.append((uid, size, _aware(told.get(uid, {}).get(b"INTERNALDATE"))))
            total += min(size, limits.RAW_BYTES)
        if group:
            yield group


def _aware(when: datetime | None) -> datetime | None:
    if when is None:
        return None
    return when.astimezone(UTC)  # the library gives local time without a zone, which this reads as local


def _selected(client: Any, folder: str) -> _Folder:
    try:
        told = client.select_folder(folder, readonly=True)
    except IMAPClientError as error:
        raise Invalid(f"The mailbox has no folder {folder!r}, or it cannot be opened.", field="imap_folders") from error
    return _Folder(int(told[b"UIDVALIDITY"]), int(told.get(b"UIDNEXT", 0)), int(told.get(b"EXISTS", 0)))


def _leave(client: Any) -> None:
    try:
        client.logout()
    except (OSError, IMAPClientError):
        client.shutdown()  # the server is gone already: there is nobody to say goodbye to


def _short(error: Exception) -> str:
    return "".join(ch for ch in str(error) if ch.isprintable())[:120]


def _read_cursor(text: str) -> dict[str, tuple[int, int, int]]:
    """Folder to UIDVALIDITY, last UID taken, and the UID below which mail was there before us."""
    told = json.loads(text) if text else {}
    return {folder: (int(at[0]), int(at[1]), int(at[2])) for folder, at in told.items()}
