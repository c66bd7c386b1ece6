"""A brand as tickets needs it: hours, promise, languages, and the accounts answers leave by. Intake owns the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.tickets.domain.contact import Capabilities
from services.tickets.domain.hours import Hours

DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Brand:
    """One shop."""

    id: str
    name: str = ""
    language: str = "it"
    languages: tuple[str, ...] = ()
    formal: bool = True
    hours: Hours = field(default_factory=Hours)
    first_response_minutes: int = 240
    close_after_days: int = 7
    acknowledge_window_minutes: int = 1440
    signature: str = ""

    @property
    def close_after_us(self) -> int:
        """How long solved stays solved, in microseconds."""
        return self.close_after_days * DAY_US


@dataclass(frozen=True, slots=True)
class Account:
    """One configured end of a channel."""

    id: str
    brand_id: str
    channel: str
    address: str = ""
    on: bool = True
    capabilities: Capabilities = field(default_factory=Capabilities)


@dataclass(frozen=True, slots=True)
class Directory:
    """Brands and accounts as last heard from intake."""

    brands: Mapping[str, Brand] = field(default_factory=dict)
    accounts: Mapping[str, Account] = field(default_factory=dict)
    channels: Mapping[str, Capabilities] = field(default_factory=dict)

    def brand(self, brand_id: str) -> Brand:
        """The brand, or one with ordinary promises when intake does not know it (any more)."""
        return self.brands.get(brand_id) or Brand(id=brand_id)

    def account_of(self, brand_id: str, channel: str) -> Account | None:
        """The brand's account of that channel, one that is on before one that is off."""
        fitting = [a for a in self.accounts.values() if a.brand_id == brand_id and a.channel == channel]
        return min(fitting, key=lambda account: (not account.on, account.id), default=None)

    def own_addresses(self, brand_id: str) -> frozenset[str]:
        """Addresses of the brand's own accounts, lower case."""
        return frozenset(a.address.lower() for a in self.accounts.values() if a.brand_id == brand_id and a.address)
