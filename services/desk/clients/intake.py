"""Calls to intake: contacts by machines, deliveries, brands, accounts, what could not be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ascolto.common.v1 import envelope_pb2 as common
from ascolto.intake.v1 import events_pb2 as events
from ascolto.intake.v1 import service_pb2 as pb
from ascolto.intake.v1 import service_pb2_grpc as rpc
from services.desk.clients.base import Client

if TYPE_CHECKING:
    import grpc

    from services.desk.letters import Letter
    from services.kit.principal import Person
    from services.kit.rpc import Caller

_STATES = {
    getattr(events, name): name.removeprefix("DELIVERY_STATE_").lower()
    for name in events.DeliveryState.keys()  # noqa: SIM118 (a wrapper, not a dict)
}


def delivery_word(state: int) -> str:
    """The delivery's state by name; empty when there is none."""
    word = _STATES.get(state, "")
    return "" if word == "unspecified" else str(word)


class IntakeClient(Client):
    """Typed calls; each raises the service's own error."""

    def __init__(self, caller: Caller, channel: grpc.Channel) -> None:
        super().__init__(caller, channel)
        self._stub = rpc.IntakeStub(channel)

    def accept(self, person: Person, contacts: Sequence[pb.NewContact]) -> pb.AcceptContactsResponse:
        """Takes in up to 100; answers after the commit, item by item."""
        return self._call(self._stub.AcceptContacts, pb.AcceptContactsRequest(contacts=contacts), person, 15.0)

    def cancel(self, person: Person, *, reply_id: str, ticket_id: str) -> bool:
        """Whether a queued answer was stopped before it left."""
        request = pb.CancelDeliveryRequest(reply_id=reply_id, ticket_id=ticket_id)
        return self._call(self._stub.CancelDelivery, request, person).cancelled

    def resolve_delivery(
        self, person: Person, *, decision: str, delivery_id: str = "", reply_id: str = ""
    ) -> events.Delivery:
        """retry, mark_sent or give_up."""
        request = pb.ResolveDeliveryRequest(delivery_id=delivery_id, reply_id=reply_id, decision=decision)
        return self._call(self._stub.ResolveDelivery, request, person)

    def brands(self) -> Sequence[pb.Brand]:
        """Every brand of the installation."""
        return self._call(self._stub.ListBrands, common.Empty(), None).brands

    def put_brand(self, person: Person, brand: pb.Brand) -> pb.Brand:
        """Makes or changes a brand."""
        return self._call(self._stub.PutBrand, brand, person)

    def accounts(self, person: Person, *, brand_id: str = "", channel: str = "") -> pb.ListAccountsResponse:
        """The accounts of the person's brands, and the kinds there are."""
        return self._call(self._stub.ListAccounts, pb.ListAccountsRequest(brand_id=brand_id, channel=channel), person)

    def put_account(
        self,
        person: Person,
        *,
        id: str = "",
        brand_id: str,
        channel: str,
        address: str,
        settings: Mapping[str, str],
        secrets: Mapping[str, str],
        version: int = 0,
    ) -> pb.Account:
        """Makes or changes an account; a secret left out stays."""
        request = pb.PutAccountRequest(
            id=id,
            brand_id=brand_id,
            channel=channel,
            address=address,
            settings=settings,
            secrets=secrets,
            version=version,
        )
        return self._call(self._stub.PutAccount, request, person)

    def test_account(self, person: Person, id: str) -> Sequence[pb.TestStep]:
        """Tries an account, step by step."""
        return self._call(self._stub.TestAccount, pb.TestAccountRequest(id=id), person, 20.0).steps

    def switch_account(self, person: Person, *, id: str, on: bool, off_message: str = "") -> pb.Account:
        """On or off; off answers customers with `off_message`."""
        return self._call(
            self._stub.SwitchAccount, pb.SwitchAccountRequest(id=id, on=on, off_message=off_message), person
        )

    def put_access_keys(self, keys: Sequence[tuple[str, bytes, Sequence[str]]]) -> None:
        """Replaces intake's copy of the tokens: id, hash, scopes."""
        request = pb.PutAccessKeysRequest(
            keys=[pb.AccessKey(id=id, hash=hashed, scopes=scopes) for id, hashed, scopes in keys]
        )
        self._call(self._stub.PutAccessKeys, request, None, 5.0)

    def quarantine(self, person: Person, *, limit: int = 50, after: str = "") -> pb.ListQuarantineResponse:
        """What could not be read."""
        return self._call(self._stub.ListQuarantine, common.Page(limit=limit, after=after), person)

    def replay_quarantine(
        self, person: Person, *, ids: Sequence[str] = (), all: bool = False
    ) -> Sequence[pb.ReplayResult]:
        """Tries again."""
        return self._call(
            self._stub.ReplayQuarantine, pb.ReplayQuarantineRequest(ids=ids, all=all), person, 30.0
        ).results

    def typing(self, person: Person, *, account_id: str, conversation: str) -> None:
        """Tells a visitor that somebody writes."""
        request = pb.TypingRequest(account_id=account_id, conversation=conversation, name=person.name)
        self._call(self._stub.Typing, request, person, 1.0)

    def send_notice(self, letter: Letter) -> None:
        """Hands a mail to somebody of the staff over; waits for the outgoing server."""
        notice = pb.Notice(
            id=letter.id, to=letter.to, subject=letter.subject, text=letter.text, language=letter.language
        )
        self._call(self._stub.SendNotice, notice, None, 60.0)

    def can_send_notices(self) -> bool:
        """Whether the shop has a way out for them."""
        return bool(self._call(self._stub.CanSendNotices, common.Empty(), None).able)
