"""What operations see of one service: its checks, how far its groups are behind, what waits for its log and its database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from services.desk.i18n import Tongue
from services.desk.pages.prose import plain

_MOST_NAMED = 4


@dataclass(frozen=True, slots=True)
class ServiceCard:
    """One service's state."""

    name: str
    ready: bool
    error: str
    facts: Sequence[tuple[str, str]]


def card(tongue: Tongue, part: Any) -> ServiceCard:
    """The card of a service's answer, or of its silence."""
    name = tongue.word("service", part.service)
    if part.value is None:
        return ServiceCard(name, ready=False, error=part.error, facts=())
    value = part.value
    failed = [check for check in value.checks if not check.ok]
    return ServiceCard(name, value.ready, plain(failed[0].detail, 200) if failed else "", tuple(_facts(tongue, value)))


def _facts(tongue: Tongue, value: Any) -> Iterator[tuple[str, str]]:
    word = tongue.text
    for check in value.checks:
        yield tongue.word("check", check.name.split(" ")[-1]), plain(check.detail, 120) or "✓"
    for lag in value.lags:
        behind = max(0, lag.end - lag.position)
        said = word("%(n)s behind", n=tongue.number(behind))
        if behind:
            said = f"{said}, {tongue.duration(lag.age_s)}"
        yield tongue.word("group", lag.group), plain(lag.paused, 120) or said
    leases = {lease.name: lease for lease in value.leases}
    if value.HasField("outbox"):
        waits = word(
            "%(n)s events, oldest %(time)s",
            n=tongue.number(value.outbox.rows),
            time=tongue.duration(value.outbox.oldest_s),
        )
        yield word("Outbox"), waits if value.outbox.rows else word("empty")
        relay = leases.pop("relay", None)
        yield word("Relay"), plain(relay.holder, 60) if relay else word("nobody")
    if leases:
        named = ", ".join(list(leases)[:_MOST_NAMED])
        more = "…" if len(leases) > _MOST_NAMED else ""
        yield word("Leases held"), f"{tongue.number(len(leases))}: {plain(named, 120)}{more}"
    kinds = {"writers": word("Writing"), "readers": word("Reading")}
    for pool in value.pools:
        use = word(
            "%(used)s of %(all)s in use", used=tongue.number(pool.size - pool.free), all=tongue.number(pool.size)
        )
        if pool.waits or pool.waiting:
            use = f"{use}, {word('%(n)s had to wait', n=tongue.number(pool.waits + pool.waiting))}"
        yield kinds.get(pool.name, pool.name), use
    if value.instance:
        yield word("Instance"), f"{plain(value.instance, 60)}, {value.version}"
