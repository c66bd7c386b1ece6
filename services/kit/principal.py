"""Who acts: a person, an API token, or a service on its own behalf. Roles become permissions in the desk alone."""

from __future__ import annotations

from dataclasses import dataclass

from services.kit.errors import Forbidden

SERVICE = "service"  # permission of calls a service makes for itself
ADMIN = "admin"  # permission that includes all others


@dataclass(frozen=True, slots=True)
class Person:
    """One caller. Empty `brand_ids` means every brand; empty `teams` limits nothing."""

    user_id: str
    name: str = ""
    roles: frozenset[str] = frozenset()
    permissions: frozenset[str] = frozenset()
    brand_ids: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()

    def may(self, permission: str) -> bool:
        """Whether this caller has `permission`; administrators have all, services only `service` and what they were given."""
        return permission in self.permissions or ADMIN in self.permissions

    def require(self, permission: str) -> None:
        """Raises `Forbidden` naming the permission that is missing."""
        if not self.may(permission):
            raise Forbidden(f"This needs the permission {permission}; ask an administrator for a role that has it.")

    def sees_brand(self, brand_id: str) -> bool:
        """Whether things of `brand_id` exist for this caller."""
        return not self.brand_ids or brand_id in self.brand_ids


def service_person(name: str) -> Person:
    """A service acting for itself: all brands, the permission `service`, and reading what rebuilding needs."""
    return Person(user_id=f"svc_{name}", name=name, permissions=frozenset({SERVICE, ADMIN}))
