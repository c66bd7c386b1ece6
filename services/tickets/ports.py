"""What the edges of this service need of others."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from services.tickets.domain.brand import Directory


class Brands(Protocol):
    """Brands and accounts, from whoever owns them."""

    def directory(self) -> Directory:
        """As last heard, asked again when older than 5 s; stale when the owner is away. For calls, never in a transaction."""
        ...

    def known(self, brand_ids: Collection[str], received_us: int) -> Directory:
        """As last heard, without asking. Raises `Unavailable` when nothing was heard since `received_us` of one of the brands."""
        ...
