"""Deny by default: every route of the desk declares who may call it, or the application is not built."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi.routing import APIRoute, iter_route_contexts

from services.desk.web.deps import Needs
from services.kit.errors import Internal

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.dependencies.models import Dependant


@dataclass(frozen=True, slots=True)
class Declared:
    """One route and what it needs."""

    method: str
    path: str
    permission: str


def declared(app: FastAPI) -> Sequence[Declared]:
    """Every route of the application with its permission. Raises `Internal` naming one that declares none."""
    found: list[Declared] = []
    for route in iter_route_contexts(app.routes):
        if not isinstance(route.original_route, APIRoute) or not route.path:
            raise Internal(
                f"The route {route.path} declares no permission; make it a route of a router, with needs(…)."
            )
        permissions = {needs.permission for needs in needs_of(route.dependant)}
        if len(permissions) != 1:
            raise Internal(f"The route {route.path} declares {len(permissions)} permissions; give it exactly one.")
        found.extend(Declared(method, route.path, min(permissions)) for method in sorted(route.methods or ()))
    return found


def needs_of(dependant: Dependant) -> Iterator[Needs]:
    """The permissions a route declares."""
    for inner in dependant.dependencies:
        if isinstance(inner.call, Needs):
            yield inner.call
        yield from needs_of(inner)
