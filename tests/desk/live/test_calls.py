"""Who a change rings for: what a customer says to whom it concerns, and an alert; nothing automatic, imported or ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ascolto.common.v1.envelope_pb2 import MODE_IMPORT, MODE_LIVE, Envelope
from ascolto.intake.v1.events_pb2 import Capabilities
from ascolto.tickets.v1 import events_pb2 as events
from services.desk.consumer import changes_of
from services.desk.domain.people import Preferences
from services.desk.live.feed import Call
from services.kit import topics
from services.kit.bus import Record
from services.kit.errors import Invalid


def recorded(*, direction: int = events.DIRECTION_IN, mode: int = MODE_LIVE, automatic: bool = False, at_s: int = 100, mentioned: Sequence[str] = (), **ticket: Any) -> Record:  # fmt: skip
    said = events.Interaction(id="int_1", direction=direction, kind="message", automatic=automatic, mentioned=mentioned)  # type: ignore[arg-type]  # an enum's value is an int
    event = events.InteractionRecorded(interaction=said, ticket=events.Ticket(id="tkt_1", **ticket))
    envelope = Envelope(
        event_id="evt_1", kind="InteractionRecorded", aggregate_id="tkt_1", key="tkt_1", brand_id="brd_shop", rev=7,
        mode=mode, payload=event.SerializeToString(),  # type: ignore[arg-type]  # as above
    )  # fmt: skip
    envelope.received_at.seconds = at_s
    return Record(topics.TICKETS, 0, 1, "tkt_1", envelope.kind, "evt_1", envelope.SerializeToString())


def test_a_customers_message_calls_its_owner_or_who_may_take_it() -> None:
    (change,) = changes_of(recorded(assignee="usr_a", capabilities=Capabilities(live=True)))

    assert change.call == Call("usr_a", "", chat=True)
    assert change.call.scope("usr_a", ()) == "mine"
    assert change.call.scope("usr_b", ()) == ""
    assert Call("", "", chat=True).scope("usr_b", ()) == "chats"
    assert Call("", "returns").scope("usr_b", ("returns",)) == "unassigned"
    assert Call("", "returns").scope("usr_b", ("sales",)) == ""
    assert Call(alert=True).scope("usr_b", ()) == "alerts"


def test_a_note_calls_whom_it_names_and_nobody_else() -> None:
    (change,) = changes_of(recorded(direction=events.DIRECTION_INTERNAL, mentioned=["usr_b"], assignee="usr_a"))

    assert (change.kind, change.id, change.brand_id) == ("ticket_named", "tkt_1", "brd_shop")
    assert change.call is not None
    assert change.call.scope("usr_b", ()) == "mine"
    assert change.call.scope("usr_a", ()) == ""


@pytest.mark.parametrize(
    "quiet",
    [
        {"direction": events.DIRECTION_OUT},
        {"direction": events.DIRECTION_INTERNAL},
        {"mode": MODE_IMPORT},
        {"automatic": True},
        {"state": events.STATE_SPAM},
        {"at_s": 99},
    ],
    ids=lambda quiet: next(iter(quiet)),
)
def test_nothing_else_rings(quiet: dict[str, Any]) -> None:
    (change,) = changes_of(recorded(**quiet), begun_s=100)

    assert change.call is None


@pytest.mark.parametrize("change", [{"sounds": ("all",)}, {"notices": ("all",)}, {"panes": {"list": 900}}, {"panes": {"x": 320}}])  # fmt: skip
def test_a_preference_out_of_its_bounds_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        Preferences().changed(change)
