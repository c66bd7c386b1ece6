"""Who may do what: the one table from roles to permissions, and from an API token's scopes to permissions.

The permissions are those the contract's methods declare; `users` is the desk's own. `docs/reference/roles.md` shows
this table and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable

from services.kit.errors import Invalid

TICKETS_READ = "tickets:read"
TICKETS_WRITE = "tickets:write"
CONTACTS_WRITE = "contacts:write"
SEARCH_READ = "search:read"
SEARCH_EXPORT = "search:export"  # all hits at once, out of the desk
MENTIONS_READ = "mentions:read"
MENTIONS_WRITE = "mentions:write"
ALERTS_WRITE = "alerts:write"
SETTINGS_WRITE = "settings:write"
OPERATIONS = "operations"
USERS = "users"  # people, tokens, audit
ADMIN = "admin"  # all of them

PERMISSIONS = (
    TICKETS_READ,
    TICKETS_WRITE,
    CONTACTS_WRITE,
    SEARCH_READ,
    SEARCH_EXPORT,
    MENTIONS_READ,
    MENTIONS_WRITE,
    ALERTS_WRITE,
    SETTINGS_WRITE,
    OPERATIONS,
    USERS,
    ADMIN,
)

ROLES: dict[str, frozenset[str]] = {
    "agent": frozenset({TICKETS_READ, TICKETS_WRITE, SEARCH_READ, MENTIONS_READ}),
    "supervisor": frozenset(
        {
            TICKETS_READ,
            TICKETS_WRITE,
            CONTACTS_WRITE,
            SEARCH_READ,
            SEARCH_EXPORT,
            MENTIONS_READ,
            MENTIONS_WRITE,
            ALERTS_WRITE,
            SETTINGS_WRITE,
        }
    ),
    "reputation": frozenset({TICKETS_READ, TICKETS_WRITE, SEARCH_READ, MENTIONS_READ, MENTIONS_WRITE, ALERTS_WRITE}),
    "operations": frozenset({OPERATIONS, SETTINGS_WRITE}),
    "admin": frozenset({ADMIN}),
}

SCOPES: dict[str, frozenset[str]] = {
    "admin": frozenset({ADMIN}),
    "contacts:write": frozenset({CONTACTS_WRITE}),
    "tickets:read": frozenset({TICKETS_READ}),
    "tickets:write": frozenset({TICKETS_WRITE}),
    "search:read": frozenset({SEARCH_READ}),
    "mentions:write": frozenset({MENTIONS_WRITE, MENTIONS_READ}),
    "alerts:write": frozenset({ALERTS_WRITE, MENTIONS_READ}),
    "operations": frozenset({OPERATIONS}),
}


def permissions_of(roles: Iterable[str]) -> frozenset[str]:
    """All permissions of the roles; an unknown role gives none."""
    return frozenset().union(*(ROLES.get(role, frozenset()) for role in roles))


def permissions_of_scopes(scopes: Iterable[str]) -> frozenset[str]:
    """All permissions of a token's scopes; an unknown scope gives none."""
    return frozenset().union(*(SCOPES.get(scope, frozenset()) for scope in scopes))


def check_roles(roles: Iterable[str]) -> tuple[str, ...]:
    """The roles, sorted. Raises `Invalid` naming one that does not exist, or when there is none."""
    chosen = tuple(sorted(set(roles)))
    if unknown := [role for role in chosen if role not in ROLES]:
        raise Invalid(f"There is no role {unknown[0]!r}; choose among {', '.join(ROLES)}.", field="roles")
    if not chosen:
        raise Invalid(f"A person needs at least one role: {', '.join(ROLES)}.", field="roles")
    return chosen


def check_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """The scopes, sorted. Raises `Invalid` naming one that does not exist, or when there is none."""
    chosen = tuple(sorted(set(scopes)))
    if unknown := [scope for scope in chosen if scope not in SCOPES]:
        raise Invalid(f"There is no scope {unknown[0]!r}; choose among {', '.join(SCOPES)}.", field="scopes")
    if not chosen:
        raise Invalid(f"A token needs at least one scope: {', '.join(SCOPES)}.", field="scopes")
    return chosen
