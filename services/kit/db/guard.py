"""Keeps calls that wait out of transactions: a write inside a write, or an rpc inside one, would hang the one writer."""

from __future__ import annotations

import contextvars

from services.kit.errors import Internal

_writing: contextvars.ContextVar[str] = contextvars.ContextVar("writing", default="")


def enter(database: str) -> None:
    """Marks this thread as inside a transaction of `database`."""
    _writing.set(database)


def leave() -> None:
    """Takes the mark away."""
    _writing.set("")


def refuse_inside_uow(what: str) -> None:
    """Raises `Internal` when this thread is inside a transaction: `what` ("an rpc") must happen before or after it."""
    if database := _writing.get():
        raise Internal(f"{what} inside a transaction of {database}: do it before the write, or after its commit.")
