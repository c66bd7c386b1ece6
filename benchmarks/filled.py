"""A data folder with many documents, filled through the hook once a run and shared by the measures that need one."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import lru_cache, partial
from pathlib import Path

from benchmarks.load import drive
from benchmarks.product import product
from benchmarks.texts import contact

FULL = os.environ.get("BENCH_FULL") == "1"
DOCUMENTS = 1_000_000 if FULL else 100_000
_CONNECTIONS = 64
_SLICE_S = 10.0
_SEARCHABLE_S = 1800.0  # a million on a busy machine


@lru_cache(maxsize=1)
def ensure_filled(documents: int) -> Path:
    """The folder; a contact makes three documents (message, ticket, customer). Removed when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="ascolto-bench-filled-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    contacts, sent = documents // 3 + 1, 0
    with product(folder) as running:
        while sent < contacts:
            headers = {"Authorization": f"Bearer {running.token}"}
            seconds = min(_SLICE_S, max(1.0, (contacts - sent) / 1500))
            body = partial(_contact, sent)
            sent += drive(running.hook, headers, body, connections=_CONNECTIONS, seconds=seconds).accepted
        running.wait_searchable(contacts, _SEARCHABLE_S)
    return folder


def _contact(first: int, number: int) -> bytes:
    return contact(first + number, "fill")
