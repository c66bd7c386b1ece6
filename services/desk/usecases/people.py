"""People and API tokens: made, changed, disabled, revoked; each act is in the audit log.

Usable without the running process: a `Database` is enough. `changed` tells the rest of the process.
"""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from services.desk.domain import people, roles
from services.desk.domain.people import Preferences, Token, User
from services.desk.store import factors, journal, resets
from services.desk.store import sessions as session_rows
from services.desk.store import users as user_rows
from services.desk.usecases.passwords import Passwords, random_password
from services.kit.clock import Clock
from services.kit.errors import Conflict, Invalid, NotFound, Unauthenticated
from services.kit.ids import new_id
from services.kit.uow import Database, Uow

TOKEN_PREFIX = "asc_"  # noqa: S105 (what every secret begins with, so that leaks are found)


@dataclasses.dataclass(frozen=True, slots=True)
class Changes:
    """What of a person changes; None leaves a field alone."""

    name: str | None = None
    roles: Sequence[str] | None = None
    brand_ids: Sequence[str] | None = None
    teams: Sequence[str] | None = None
    disabled: bool | None = None


class People:
    """Users and tokens. `by` is the user id of who acts; empty for the command line."""

    def __init__(
        self, database: Database, *, clock: Clock, passwords: Passwords, changed: Callable[[], None] = lambda: None
    ) -> None:
        self._database, self._clock, self._passwords, self._changed = database, clock, passwords, changed

    def create(  # noqa: PLR0913 (a person has this many parts)
        self,
        *,
        email: str,
        name: str,
        roles_: Iterable[str],
        brand_ids: Iterable[str] = (),
        teams: Iterable[str] = (),
        language: str = "it",
        must_change: bool = True,
        by: str = "",
    ) -> tuple[User, str]:
        """Makes a person; returns them with a random password, to be changed at the first sign-in if `must_change`.

        Raises `Invalid` naming the field, `Conflict` when the address is taken.
        """
        password = random_password()
        user = User(
            id=new_id("usr"),
            email=people.check_email(email),
            name=people.check_name(name),
            roles=roles.check_roles(roles_),
            brand_ids=tuple(sorted(set(brand_ids))),
            teams=tuple(sorted(set(teams))),
            must_change=must_change,
            preferences=Preferences().changed({"language": language}),
        )
        hashed = self._passwords.hash(password)
        now = self._clock.now()

        def create(uow: Uow) -> None:
            user_rows.add(uow, user, password_hash=hashed, now=now)
            self._note(uow, now, by, "user_created", user.id, ",".join(user.roles))

        self._database.write(create)
        return user, password

    def everybody(self) -> list[User]:
        """All people, disabled ones too, by name."""
        with self._database.read() as reader:
            return user_rows.everybody(reader)

    def get(self, user_id: str) -> User:
        """One person. Raises `NotFound`."""
        with self._database.read() as reader:
            return user_rows.get(reader, user_id)

    def find_by_email(self, email: str) -> User:
        """The person of an address. Raises `NotFound`."""
        with self._database.read() as reader:
            found = user_rows.find_with_hash(reader, email.strip().lower())
        if found is None:
            raise NotFound("There is nobody with this address.", field="email")
        return found[0]

    def change(self, user_id: str, changes: Changes, *, version: int, by: str) -> User:
        """Changes a person. What they may do changes within 2 s; disabled ones are signed out.

        Raises `Conflict` when `version` is stale or the last administrator would go.
        """
        now = self._clock.now()
        new_name = people.check_name(changes.name) if changes.name is not None else None
        new_roles = roles.check_roles(changes.roles) if changes.roles is not None else None

        def change(uow: Uow) -> User:
            user = user_rows.get(uow, user_id)
            changed = dataclasses.replace(
                user,
                name=new_name or user.name,
                roles=new_roles or user.roles,
                brand_ids=user.brand_ids if changes.brand_ids is None else tuple(sorted(set(changes.brand_ids))),
                teams=user.teams if changes.teams is None else tuple(sorted(set(changes.teams))),
                disabled=user.disabled if changes.disabled is None else changes.disabled,
                version=version + 1,
            )
            loses_admin = roles.ADMIN in user.roles and (changed.disabled or roles.ADMIN not in changed.roles)
            if loses_admin and not user_rows.other_admins(uow, user_id):
                raise Conflict("This is the last administrator; make another one first.", user_id=user_id)
            user_rows.change(uow, changed, version=version)
            if changed.disabled:
                session_rows.end_all(uow, user_id)
            what = [f.name for f in dataclasses.fields(User) if getattr(user, f.name) != getattr(changed, f.name)]
            self._note(uow, now, by, "user_changed", user_id, ",".join(set(what) - {"version"}))
            return changed

        user = self._database.write(change)
        self._changed()
        return user

    def reset_password(self, user_id: str, *, by: str) -> str:
        """Gives a person a fresh random password, to be changed at the next sign-in, and signs them out everywhere."""
        password = random_password()
        hashed = self._passwords.hash(password)
        self._set_password(user_id, hashed, must_change=True, by=by, act="password_reset", but="")
        return password

    def reset_factor(self, user_id: str, *, by: str) -> None:
        """Removes a person's second factor and signs them out everywhere. Raises `NotFound` where there is none."""
        now = self._clock.now()

        def remove(uow: Uow) -> None:
            user_rows.get(uow, user_id)
            if not factors.remove(uow, user_id):
                raise NotFound("This person has no second factor.", user_id=user_id)
            session_rows.end_all(uow, user_id)
            self._note(uow, now, by, "factor_reset", user_id, "")

        self._database.write(remove)
        self._changed()

    def change_password(self, user: User, *, old: str, new: str, session_id: str = "") -> None:
        """Replaces one's own password and ends one's other sessions. Raises `Unauthenticated` for a wrong old one."""
        people.check_password(new, email=user.email)
        with self._database.read() as reader:
            stored = user_rows.hash_of(reader, user.id)
        if not self._passwords.check(old[:200], stored).result():
            raise Unauthenticated("The present password is wrong.", field="old")
        if old == new:
            raise Invalid("The new password is the old one.", field="password")
        hashed = self._passwords.hash(new)
        self._set_password(user.id, hashed, must_change=False, by=user.id, act="password_changed", but=session_id)

    def set_preferences(self, user: User, changes: Mapping[str, Any]) -> Preferences:
        """Changes one's own preferences. Raises `Invalid` naming the field."""

        def change(uow: Uow) -> Preferences:
            new = user_rows.get(uow, user.id).preferences.changed(changes)
            user_rows.set_preferences(uow, user.id, new)
            return new

        preferences = self._database.write(change)
        self._changed()
        return preferences

    def create_token(
        self,
        *,
        name: str,
        scopes: Iterable[str],
        brand_ids: Iterable[str] = (),
        expires_at: datetime | None = None,
        by: str = "",
    ) -> tuple[Token, str]:
        """Makes an API token; returns it with its secret, which is shown once and kept only as a hash."""
        now = self._clock.now()
        if expires_at is not None and expires_at <= now:
            raise Invalid("The token would have expired already; choose a later day.", field="expires_at")
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        token = Token(
            id=new_id("tok"),
            name=people.check_name(name),
            scopes=roles.check_scopes(scopes),
            brand_ids=tuple(sorted(set(brand_ids))),
            created_by=by,
            created_at=now,
            expires_at=expires_at,
        )

        def create(uow: Uow) -> None:
            session_rows.add_token(uow, token, hash_token(secret))
            self._note(uow, now, by, "token_created", token.id, ",".join(token.scopes))

        self._database.write(create)
        self._changed()
        return token, secret

    def tokens(self) -> list[Token]:
        """All API tokens, newest first."""
        with self._database.read() as reader:
            return session_rows.tokens(reader)

    def revoke_token(self, token_id: str, *, by: str) -> None:
        """Ends a token. Raises `NotFound` when there is no live one of that id."""
        now = self._clock.now()

        def revoke(uow: Uow) -> None:
            if not session_rows.revoke_token(uow, token_id, now):
                raise NotFound(f"There is no live token {token_id}.", token_id=token_id)
            self._note(uow, now, by, "token_revoked", token_id, "")

        self._database.write(revoke)
        self._changed()

    def note(self, by: str, act: str, object_id: str, detail: str = "") -> None:
        """Writes a line of the audit log: exports, looking at what is not one's own."""
        now = self._clock.now()
        self._database.write(lambda uow: self._note(uow, now, by, act, object_id, detail))

    def audit(self, *, object_id: str = "", user_id: str = "", limit: int = 50, after: str = "") -> list[journal.Entry]:
        """The desk's audit log, newest first."""
        with self._database.read() as reader:
            return journal.entries(reader, object_id=object_id, user_id=user_id, limit=limit, after=after)

    def _set_password(self, user_id: str, hashed: str, *, must_change: bool, by: str, act: str, but: str) -> None:
        now = self._clock.now()

        def change(uow: Uow) -> None:
            user_rows.get(uow, user_id)
            user_rows.set_password(uow, user_id, hashed, must_change=must_change)
            session_rows.end_all(uow, user_id, but=but)
            resets.remove_of(uow, user_id)
            self._note(uow, now, by, act, user_id, "")

        self._database.write(change)
        self._changed()

    @staticmethod
    def _note(uow: Uow, now: datetime, by: str, act: str, object_id: str, detail: str) -> None:
        journal.add(uow, journal.Entry(new_id("aud"), now, by or "command line", act, object_id, detail))


def hash_token(secret: str) -> bytes:
    """What is kept of a token: SHA-256, enough for 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
