"""From PostgreSQL's SQLSTATE to what is done about it: run the function again, say that it is away, or that we erred.

Source of the codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from services.kit.errors import AscoltoError, Internal, Unavailable

_CLASHES = frozenset({"40001", "40P01", "55P03"})  # serialization, deadlock, a lock not had in time
_TAKEN = "23505"  # a unique key that another transaction took: run again, the function finds whose it is
_AWAY = {
    "25006": "is read-only: it is a standby, or failing over",
    "25P03": "ended a transaction that stood still",
    "25P04": "ended a transaction that took too long",
    "53100": "cannot grow: disk full. Free some space; it goes on by itself",
    "53200": "has no memory left",
    "53300": "has no connection left: raise max_connections, or run fewer instances",
    "53400": "is at a limit of its configuration",
    "55P03": "did not give a lock in time",
    "57014": "did not answer in time",
    "57P01": "is shutting down",
    "57P02": "crashed and starts again",
    "57P03": "is starting",
    "57P05": "ended a session that stood still",
    "58030": "has an input or output error",
}
_LOST = frozenset({"25006", "25P03", "25P04", "57P01", "57P02", "57P03", "57P05"})  # the connection is of no more use

_NONE_FREE = (PoolTimeout, TooManyRequests, PoolClosed)  # says nothing about the connections that are in use


def clashed(error: BaseException) -> bool:
    """Whether the same function may succeed at once: others were in its way."""
    return isinstance(error, psycopg.Error) and error.sqlstate in _CLASHES


def taken(error: BaseException) -> bool:
    """Whether a unique key was in the way: another transaction's, or one the function would take twice."""
    return isinstance(error, psycopg.Error) and error.sqlstate == _TAKEN


def lost(error: BaseException) -> bool:
    """Whether the server, or the way to it, is gone: only another connection can help."""
    if not isinstance(error, psycopg.Error) or isinstance(error, _NONE_FREE):
        return False
    state = error.sqlstate or ""
    return state in _LOST or state.startswith("08") or (not state and isinstance(error, psycopg.OperationalError))


def translated(error: BaseException, database: str) -> BaseException:
    """The error as callers should see it; ours and those of functions pass unchanged."""
    if not isinstance(error, psycopg.Error):
        return error
    state = error.sqlstate or ""
    found: AscoltoError
    if isinstance(error, (PoolTimeout, TooManyRequests)):
        found = Unavailable(f"The database {database} gave no connection in time.", retry_after_s=2.0)
    elif isinstance(error, PoolClosed):
        found = Unavailable(f"The database {database} is closed.")
    elif state in _AWAY or state in _CLASHES:
        found = Unavailable(f"The database {database} {_AWAY.get(state, 'is too busy')}.", retry_after_s=1.0)
    elif lost(error):
        found = Unavailable(f"The database {database} is away: {_first_line(error)}.", retry_after_s=2.0)
    else:
        found = Internal(f"The database {database} refused a statement: {_first_line(error)}.")
    found.__cause__ = error
    return found


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
