"""What the command line does to people and tokens, with or without the running process: by the database alone.

No page and no API is imported for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from services.desk.clients import Clients
from services.desk.usecases.passwords import Passwords
from services.desk.usecases.people import Changes, People
from services.desk.usecases.tokens import KeysToIntake
from services.kit.clock import Clock, SystemClock
from services.kit.rpc import Caller

if TYPE_CHECKING:
    from services.desk.domain.people import Token, User
    from services.kit.backends import Parts
    from services.kit.uow import Database


def create_user(  # noqa: PLR0913 (a person has this many parts)
    database: Database,
    *,
    email: str,
    roles: Iterable[str],
    name: str = "",
    brand_ids: Iterable[str] = (),
    teams: Iterable[str] = (),
    language: str = "it",
    clock: Clock | None = None,
) -> str:
    """Makes a person and returns the random password."""
    people, passwords = _people(database, clock)
    try:
        _, password = people.create(
            email=email,
            name=name or email.partition("@")[0],
            roles_=roles,
            brand_ids=brand_ids,
            teams=teams,
            language=language,
            must_change=False,
        )
    finally:
        passwords.close()
    return password


def first_user(database: Database, *, email: str, name: str = "", language: str = "it") -> str | None:
    """Makes the first administrator and returns the password; None when there is somebody already."""
    people, passwords = _people(database, None)
    passwords.close()
    if people.everybody():
        return None
    return create_user(database, email=email, roles=("admin",), name=name, language=language)


def list_users(database: Database) -> Sequence[User]:
    """Everybody, disabled ones too."""
    people, passwords = _people(database, None)
    passwords.close()
    return people.everybody()


def disable_user(database: Database, *, email: str, disabled: bool = True) -> User:
    """Disables a person (or enables them again): sessions end within 5 s."""
    people, passwords = _people(database, None)
    passwords.close()
    user = people.find_by_email(email)
    return people.change(user.id, Changes(disabled=disabled), version=user.version, by="")


def reset_password(database: Database, *, email: str) -> str:
    """Gives a person a fresh random password and returns it."""
    people, passwords = _people(database, None)
    try:
        return people.reset_password(people.find_by_email(email).id, by="")
    finally:
        passwords.close()


def reset_factor(database: Database, *, email: str) -> None:
    """Removes a person's second factor and ends their sessions within 5 s. Raises `NotFound` where there is none."""
    people, passwords = _people(database, None)
    passwords.close()
    people.reset_factor(people.find_by_email(email).id, by="")


def create_token(
    database: Database,
    *,
    name: str,
    scopes: Iterable[str],
    brand_ids: Iterable[str] = (),
    expires_at: datetime | None = None,
    clock: Clock | None = None,
) -> str:
    """Makes an API token and returns its secret. The running process takes note within 2 s."""
    people, passwords = _people(database, clock)
    passwords.close()
    _, secret = people.create_token(name=name, scopes=scopes, brand_ids=brand_ids, expires_at=expires_at)
    return secret


def push_keys(parts: Parts) -> None:
    """Gives intake the hashes of all live tokens now, so that a fresh one opens the hooks at once."""
    clients = Clients.connect(Caller(service="desk", keys=parts.keys, clock=parts.clock), parts.channels)
    KeysToIntake(parts.database, clients.intake.put_access_keys, clock=parts.clock).push_now()


def list_tokens(database: Database) -> Sequence[Token]:
    """All tokens, without their secrets."""
    people, passwords = _people(database, None)
    passwords.close()
    return people.tokens()


def revoke_token(database: Database, *, token_id: str) -> None:
    """Ends a token. Raises `NotFound`."""
    people, passwords = _people(database, None)
    passwords.close()
    people.revoke_token(token_id, by="")


def _people(database: Database, clock: Clock | None) -> tuple[People, Passwords]:
    passwords = Passwords(threads=1)
    return People(database, clock=clock or SystemClock(), passwords=passwords), passwords
