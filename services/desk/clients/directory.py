"""Names for pages: people, brands and accounts, remembered for 5 s; the last good copy when intake is away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from services.desk.domain import roles
from services.desk.domain.roles import TICKETS_READ
from services.kit.errors import Unavailable
from services.kit.principal import ADMIN, Person

if TYPE_CHECKING:
    from ascolto.intake.v1 import service_pb2 as intake
    from services.desk.clients import Clients
    from services.desk.domain.people import User
    from services.desk.usecases.people import People
    from services.kit.clock import Clock

T = TypeVar("T")
_REMEMBER_S = 5.0
_EVERYBODY = Person(user_id="svc_desk", name="desk", permissions=frozenset({ADMIN, "service"}))


class _Kept(Generic[T]):
    """One answer, asked again after 5 s; kept when the asking fails because the other side is away."""

    def __init__(self, ask: Callable[[], T], clock: Clock) -> None:
        self._ask, self._clock = ask, clock
        self._value: T | None = None
        self._asked_s = float("-inf")
        self._lock = threading.Lock()

    def get(self) -> T:
        with self._lock:
            if self._value is None or self._clock.monotonic() - self._asked_s >= _REMEMBER_S:
                self._asked_s = self._clock.monotonic()
                try:
                    self._value = self._ask()
                except Unavailable:
                    if self._value is None:
                        raise
            return self._value

    def forget(self) -> None:
        with self._lock:
            self._asked_s = float("-inf")


class Directory:
    """Who and what ids stand for."""

    def __init__(self, people: People, clients: Clients, *, clock: Clock) -> None:
        self._users: _Kept[Mapping[str, User]] = _Kept(lambda: {user.id: user for user in people.everybody()}, clock)
        self._tokens: _Kept[Mapping[str, str]] = _Kept(lambda: {one.id: one.name for one in people.tokens()}, clock)
        self._brands: _Kept[Sequence[intake.Brand]] = _Kept(lambda: list(clients.intake.brands()), clock)
        self._accounts: _Kept[intake.ListAccountsResponse] = _Kept(lambda: clients.intake.accounts(_EVERYBODY), clock)

    def name(self, user_id: str) -> str:
        """A person's or a token's name; the id itself for services, and for who is gone."""
        user = self._users.get().get(user_id)
        return user.name if user else self._tokens.get().get(user_id, user_id)

    def user(self, user_id: str) -> User | None:
        """A person."""
        return self._users.get().get(user_id)

    def users(self) -> Sequence[User]:
        """Everybody who may sign in, by name."""
        return [user for user in self._users.get().values() if not user.disabled]

    def colleagues(self, person: Person, brand_id: str = "") -> Sequence[User]:
        """Whom this person may assign work of a brand to."""
        return [
            user
            for user in self.users()
            if (not brand_id or not user.brand_ids or brand_id in user.brand_ids)
            and (not person.brand_ids or not user.brand_ids or person.brand_ids & set(user.brand_ids))
        ]

    def readers(self, brand_id: str) -> Sequence[User]:
        """Who may read the tickets of a brand."""
        return [
            user
            for user in self.users()
            if roles.permissions_of(user.roles) & {TICKETS_READ, ADMIN}
            and (not user.brand_ids or brand_id in user.brand_ids)
        ]

    def teams(self) -> Sequence[str]:
        """Teams that have somebody."""
        return sorted({team for user in self.users() for team in user.teams})

    def brands(self, person: Person) -> Sequence[intake.Brand]:
        """The person's brands. Raises `Unavailable` when intake never answered."""
        return [brand for brand in self._brands.get() if person.sees_brand(brand.id)]

    def brand_name(self, brand_id: str) -> str:
        """A brand's name; the id when it is not known."""
        return next((brand.name for brand in self._brands.get() if brand.id == brand_id), brand_id)

    def accounts(self, person: Person) -> Sequence[intake.Account]:
        """The accounts of the person's brands."""
        return [account for account in self._accounts.get().accounts if person.sees_brand(account.brand_id)]

    def account(self, account_id: str) -> intake.Account | None:
        """One account, of whichever brand."""
        return next((one for one in self._accounts.get().accounts if one.id == account_id), None)

    def channels(self) -> Sequence[intake.ChannelKind]:
        """The kinds of channels there are."""
        return list(self._accounts.get().channels)

    def forget(self) -> None:
        """Asks again at the next question, after something was changed here."""
        for kept in (self._users, self._brands, self._accounts):
            kept.forget()
