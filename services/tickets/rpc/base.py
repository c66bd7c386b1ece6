"""What all methods share: parts, acts with fresh ids, limits of pages, and who looked at what."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future

import nh3

from ascolto.common.v1.envelope_pb2 import Blob
from services.kit import log
from services.kit.blobs import Blobs
from services.kit.clock import Clock
from services.kit.errors import Invalid
from services.kit.ids import new_id
from services.kit.principal import Person
from services.kit.secrets import Keys
from services.kit.uow import Database, Lane
from services.tickets.ports import Brands
from services.tickets.store import audit
from services.tickets.store.audit import Entry
from services.tickets.usecases.common import Act

MAX_PAGE = 200
_DEFAULT_PAGE = 50
_INLINE_HTML = 32 * 1024
_MAX_TEXT_BYTES = 64 * 1024
_SEEN_AGAIN_S = 300.0
_SEEN_KEPT = 4096
_UPLOADS = "desk/"  # the only blobs a caller may attach by key: what staff uploaded, never a customer's


class Base:
    """Parts and small acts."""

    def __init__(self, *, database: Database, blobs: Blobs, clock: Clock, brands: Brands, keys: Keys) -> None:
        self.database, self.blobs, self.clock, self.brands, self.keys = database, blobs, clock, brands, keys
        self._log = log.logger("tickets")
        self._seen: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._seen_lock = threading.Lock()

    def now_us(self) -> int:
        """Now, in microseconds."""
        return int(self.clock.now().timestamp() * 1_000_000)

    def act(self, person: Person, *prefixes: str) -> Act:
        """An act of `person` now, with a fresh id for each prefix."""
        return Act(person, self.now_us(), tuple(new_id(prefix) for prefix in prefixes), new_id("aud"))

    def saw(self, person: Person, act: str, object_id: str) -> None:
        """Writes down who looked at what, once in five minutes, without keeping the reader waiting."""
        if person.user_id.startswith("svc_"):
            return
        key, now = (person.user_id, object_id), self.clock.monotonic()
        with self._seen_lock:
            if now - self._seen.get(key, float("-inf")) < _SEEN_AGAIN_S:
                return
            self._seen[key] = now
            self._seen.move_to_end(key)
            while len(self._seen) > _SEEN_KEPT:
                self._seen.popitem(last=False)
        entry = Entry(new_id("aud"), self.now_us(), person.user_id, act, object_id)
        future: Future[None] = self.database.submit(lambda uow: audit.add(uow, [entry]), lane=Lane.BULK)
        future.add_done_callback(self._audited)

    def _audited(self, future: Future[None]) -> None:
        if error := future.exception():
            self._log.error("audit.failed", reason=type(error).__name__)

    def keep_files(self, owner_id: str, files: Sequence[Blob]) -> tuple[tuple[bytes, ...], tuple[int, ...]]:
        """Stores attachments before the row that names them; returns them packed, and their sizes in bytes."""
        packed: list[bytes] = []
        sizes: list[int] = []
        for number, given in enumerate(files):
            if given.key and not given.key.startswith(_UPLOADS):
                raise Invalid("An attachment is given by its content, or by the key of an upload.", field="attachments")
            name = " ".join(given.name.replace("/", "_").replace("\\", "_").split())[:200]
            kept = Blob(name=name or "file", media_type=given.media_type or "application/octet-stream")
            if given.key:
                kept.key, kept.size_bytes, kept.sha256 = given.key, given.size_bytes, given.sha256
            else:
                kept.key = f"tickets/{owner_id}/{number}"
                kept.size_bytes = len(given.inline)
                kept.sha256 = hashlib.sha256(given.inline).hexdigest()
                self.blobs.put(kept.key, given.inline)
            packed.append(kept.SerializeToString())
            sizes.append(kept.size_bytes)
        return tuple(packed), tuple(sizes)

    def keep_html(self, owner_id: str, html: str) -> bytes:
        """Cleans and keeps HTML: in the row when small, else as a blob."""
        if not html.strip():
            return b""
        data = nh3.clean(html).encode()
        blob = Blob(
            media_type="text/html; charset=utf-8", size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest()
        )
        if len(data) <= _INLINE_HTML:
            blob.inline = data
        else:
            blob.key = f"tickets/{owner_id}/html"
            self.blobs.put(blob.key, data)
        return blob.SerializeToString()

    def keep_text(self, owner_id: str, text: str) -> tuple[str, bytes]:
        """Text as the row keeps it; over 64 KB an excerpt, and the whole as a blob."""
        data = text.encode()
        if len(data) <= _MAX_TEXT_BYTES:
            return text, b""
        blob = Blob(
            key=f"tickets/{owner_id}/body",
            media_type="text/plain; charset=utf-8",
            size_bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )
        self.blobs.put(blob.key, data)
        return data[:_MAX_TEXT_BYTES].decode(errors="ignore"), blob.SerializeToString()


def limit_of(asked: int) -> int:
    """A page's length: 50 unless asked, at most 200."""
    return min(asked or _DEFAULT_PAGE, MAX_PAGE)
