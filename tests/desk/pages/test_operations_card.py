"""A service's card tells operations what the figures tell."""

from __future__ import annotations

import pytest

from ascolto.common.v1 import operations_pb2 as ops
from services.desk.clients.operations import Part
from services.desk.pages.operations_card import card
from tests.desk.pages import samples


def _answer() -> ops.HealthResponse:
    return ops.HealthResponse(
        service="tickets",
        ready=True,
        version="1.2",
        instance="host-1",
        lags=[ops.GroupLag(group="tickets.contacts", position=40, end=52, age_s=3)],
        outbox=ops.Outbox(rows=12, oldest_s=75),
        leases=[ops.Lease(name="relay", holder="host-2"), ops.Lease(name="closer", holder="host-1")],
        pools=[ops.Pool(name="writers", size=6, free=1, waiting=2, waits=31)],
    )


@pytest.mark.parametrize(
    ("language", "facts"),
    [
        ("en", {"Outbox": "12 events, oldest 1 min 15 s", "Relay": "host-2", "Leases held": "1: closer"}),
        ("it", {"Da inoltrare": "12 eventi, il più vecchio da 1 min 15 s", "Inoltro": "host-2", "Turni tenuti": "1: closer"}),
    ],
)  # fmt: skip
def test_a_card_tells_lag_outbox_relay_leases_and_pools(language: str, facts: dict[str, str]) -> None:
    shown = dict(card(samples.tongue(language), Part("tickets", _answer())).facts)

    assert facts.items() <= shown.items()
    assert any(value.startswith("12 ") and value.endswith(", 3 s") for value in shown.values())
    assert any(value.startswith("5 ") and "33" in value for value in shown.values())
    assert "host-1, 1.2" in shown.values()


def test_an_outbox_that_nobody_moves_is_told() -> None:
    answer = ops.HealthResponse(service="tickets", outbox=ops.Outbox())

    shown = dict(card(samples.tongue("en"), Part("tickets", answer)).facts)

    assert shown["Relay"] == "nobody"
