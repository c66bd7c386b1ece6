"""Lists: `{items, next}`, `limit` up to 200, `after` is the `next` of the page before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Query

Limit = Annotated[int, Query(ge=1, le=200)]
After = Annotated[str, Query(max_length=500)]


def page(items: Iterable[Any], following: str) -> dict[str, Any]:
    """A list's answer."""
    return {"items": list(items), "next": following or None}
