"""What operations see and do: health, accounts, dead letters. A service that is away spoils its own part only."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from services.desk.api import models
from services.desk.api.callers import Caller, needs
from services.desk.api.paging import After, Limit, page
from services.desk.api.route import ApiRoute
from services.desk.api.tickets import DeskOf
from services.desk.domain.roles import OPERATIONS
from services.desk.wire import others as wire
from services.kit.errors import AscoltoError, Invalid, NotFound

router = APIRouter(prefix="/operations", route_class=ApiRoute, tags=["operations"])


@router.get("/health", dependencies=[needs(OPERATIONS)])
def health(desk: DeskOf) -> dict[str, Any]:
    """Every service's checks, lags and stages."""
    return wire.health(desk.clients.operations.health())


@router.get("/accounts", dependencies=[needs(OPERATIONS)])
def accounts(desk: DeskOf, person: Caller, limit: Limit = 50, after: After = "") -> dict[str, Any]:
    """Accounts with their last success and error, by id."""
    found = sorted(desk.clients.intake.accounts(person).accounts, key=lambda account: account.id)
    rest = [account for account in found if account.id > after]
    following = rest[limit - 1].id if len(rest) > limit else ""
    return page((wire.account(account) for account in rest[:limit]), following)


@router.get("/dead-letters", dependencies=[needs(OPERATIONS)])
def dead_letters(desk: DeskOf, person: Caller, limit: Limit = 50, after: After = "") -> dict[str, Any]:
    """Dead letters of every service, one after the other; `away` names services that did not answer."""
    services = list(desk.clients.operations.services)
    service, _, inner = after.partition(":")
    if after and service not in services:
        raise Invalid("`after` is not of this list.", field="after")
    items: list[dict[str, Any]] = []
    away: list[dict[str, str]] = []
    following = ""
    for name in services[services.index(service) if after else 0 :]:
        if len(items) >= limit:
            following = f"{name}:"
            break
        try:
            found = desk.clients.operations.dead_letters_of(person, name, limit=limit - len(items), after=inner)
        except AscoltoError as error:
            away.append({"service": name, "error": error.message})
            continue
        finally:
            inner = ""
        items += [wire.dead_letter(name, letter) for letter in found.items]
        if found.next:
            following = f"{name}:{found.next}"
            break
    return page(items, following) | {"away": away}


@router.post("/dead-letters/{letter_id}/replay", dependencies=[needs(OPERATIONS)])
def replay(desk: DeskOf, person: Caller, letter_id: str, body: models.Replay | None = None) -> dict[str, Any]:
    """Tries one dead letter again; a reply is only sent once more with `confirmed`."""
    service, dot, inner = letter_id.partition(".")
    if not dot:
        raise NotFound(f"There is no dead letter {letter_id}.")
    results = desk.clients.operations.replay(person, service, ids=[inner], confirmed=body.confirmed if body else False)
    if not results or results[0].kind == "not_found":
        raise NotFound(f"There is no dead letter {letter_id}.")
    return {"id": letter_id, "ok": results[0].ok, "detail": results[0].detail}
