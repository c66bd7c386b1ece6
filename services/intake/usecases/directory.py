"""Brands and accounts in memory: read at start and after each change, handed out as one immutable picture."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.intake.domain.brand import Brand
from services.intake.domain.channel import Account
from services.intake.ports import Channel, Route
from services.intake.store import accounts as store
from services.kit.errors import Forbidden, NotFound
from services.kit.secrets import SecretBox
from services.kit.uow import Database, Value


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything set up, at one moment."""

    brands: Mapping[str, Brand] = field(default_factory=dict)
    by_slug: Mapping[str, Brand] = field(default_factory=dict)
    accounts: Mapping[str, Account] = field(default_factory=dict)
    rows: Mapping[str, store.AccountRow] = field(default_factory=dict)
    by_address: Mapping[str, tuple[Route, ...]] = field(default_factory=dict)
    domains: frozenset[str] = frozenset()
    keys: Mapping[bytes, tuple[str, frozenset[str]]] = field(default_factory=dict)


class Directory:
    """The present picture. Replaced whole, so readers need no lock."""

    def __init__(self, database: Database, secrets: SecretBox, channels: Mapping[str, Channel]) -> None:
        self._database, self._secrets, self.channels = database, secrets, channels
        self._loading = threading.Lock()
        self._picture: Picture | None = None
        self._mark: tuple[Value, ...] = ()

    @property
    def picture(self) -> Picture:
        """What is set up."""
        return self._picture or self.reload()

    def refresh(self) -> Picture:
        """Reads everything again when another process changed something."""
        with self._database.read() as reader:
            changed = store.mark(reader) != self._mark
        return self.reload() if changed else self.picture

    def reload(self) -> Picture:
        """Reads everything again; call it after a change."""
        with self._loading:
            with self._database.read() as reader:
                mark = store.mark(reader)
                brands = {brand.id: brand for brand in store.brands(reader)}
                rows = {row.id: row for row in store.accounts(reader) if row.channel in self.channels}
                sealed, keys = store.secrets(reader), store.access_keys(reader)
            accounts = {
                row.id: self._account(row, brands.get(row.brand_id), sealed.get(row.id, {})) for row in rows.values()
            }
            self._picture = Picture(
                brands=brands,
                by_slug={brand.slug: brand for brand in brands.values()},
                accounts=accounts,
                rows=rows,
                by_address=_routes(rows.values()),
                domains=frozenset(key.rpartition("@")[2] for row in rows.values() if "@" in (key := row.address_key)),
                keys=keys,
            )
            self._mark = mark
            return self._picture

    def _account(self, row: store.AccountRow, brand: Brand | None, sealed: Mapping[str, bytes]) -> Account:
        return Account(
            id=row.id,
            brand_id=row.brand_id,
            channel=row.channel,
            address=row.address,
            state=row.state,
            settings=row.settings,
            secrets={name: self._secrets.open(value, owner=f"{row.id}/{name}") for name, value in sealed.items()},
            brand_name=brand.name if brand else "",
            brand_slug=brand.slug if brand else "",
            language=brand.language if brand else "it",
            version=row.version,
            off_message=row.off_message,
        )

    def account(self, account_id: str) -> Account:
        """One account. Raises `NotFound`."""
        found = self.picture.accounts.get(account_id)
        if found is None:
            raise NotFound(f"There is no account {account_id[:60]}; the settings page lists them.", field="account")
        return found

    def open_account(self, account_id: str) -> Account:
        """One account that is on. Raises `Forbidden` naming the channels that are."""
        found = self.account(account_id)
        if found.state != "on":
            names = ", ".join(sorted({one.channel for one in self.open_accounts(found.brand_id)})) or "none"
            note = f" {found.off_message}" if found.off_message else ""
            raise Forbidden(f"This way in is switched off.{note} Open now: {names}.", field="account")
        return found

    def open_accounts(self, brand_id: str) -> list[Account]:
        """Accounts of a brand that are on and take contacts in."""
        return [
            one
            for one in self.picture.accounts.values()
            if one.brand_id == brand_id and one.state == "on" and self.channels[one.channel].capabilities.receives
        ]

    def account_of(self, brand_id: str, channel: str) -> Account | None:
        """The brand's first account of a channel, one that is on before one that is not."""
        found = [one for one in self.picture.accounts.values() if one.brand_id == brand_id and one.channel == channel]
        return min(found, key=lambda one: (one.state != "on", one.id), default=None)

    def accounts_for_address(self, address: str) -> Sequence[Route]:
        """Accounts whose address this is: any case, any `+suffix`; bounce addresses and `postmaster` of our domains too."""
        key = address_key(address)
        picture = self.picture
        if found := picture.by_address.get(key):
            return found
        local, at, domain = key.rpartition("@")
        if not at:
            local, domain = domain, ""
        if local in {"postmaster", "bounces"} and (domain in picture.domains or (local == "postmaster" and not domain)):
            same = [row for row in picture.rows.values() if not domain or row.address_key.endswith(f"@{domain}")]
            mail = sorted((row for row in same if "@" in row.address_key), key=lambda row: row.id)
            return (Route(mail[0].id, mail[0].brand_id),) if mail else ()
        return ()


def address_key(address: str) -> str:
    """Lower case, without `+suffix`: what addresses are compared by."""
    local, at, domain = address.strip().lower().rpartition("@")
    if not at:
        return domain
    return f"{local.partition('+')[0]}@{domain}"


def _routes(rows: Iterable[store.AccountRow]) -> dict[str, tuple[Route, ...]]:
    found: dict[str, tuple[Route, ...]] = {}
    for row in rows:
        if "@" in row.address_key:
            found[row.address_key] = (*found.get(row.address_key, ()), Route(row.id, row.brand_id))
    return found
