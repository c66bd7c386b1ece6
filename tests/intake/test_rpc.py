"""The calls: items answered one by one, brands kept apart, secrets never shown."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter

from ascolto.common.v1 import envelope_pb2 as common
from ascolto.intake.v1 import service_pb2 as pb
from ascolto.intake.v1 import service_pb2_grpc as stubs
from ascolto.intake.v1.events_pb2 import ContactReceived
from services.intake.ports import NotSent, Uncertain
from services.kit import topics
from services.kit.errors import Conflict, Invalid, NotFound, Unavailable
from services.kit.principal import Person
from services.kit.rpc import Caller, Guard, LocalServer
from tests.intake.world import World

ADMIN = Person("usr_1", "Elisa", permissions=frozenset({"admin"}))
ELSEWHERE = Person("usr_2", "Noor", permissions=frozenset({"admin"}), brand_ids=frozenset({"brd_other"}))


class Client:
    def __init__(self, world: World) -> None:
        calls = Counter("calls", "Calls.", ["service", "method", "outcome"], registry=CollectorRegistry())
        server: Any = LocalServer(Guard(service="intake", keys=world.parts.keys, clock=world.clock, calls=calls))
        for add in world.service.rpc:
            add(server)
        self._stub = stubs.IntakeStub(server.channel())
        self._caller = Caller(service="desk", keys=world.parts.keys, clock=world.clock)

    def __call__(self, name: str, request: Any, person: Person | None = ADMIN) -> Any:
        return self._caller.invoke(getattr(self._stub, name), request, person=person, timeout_s=10.0)


@pytest.fixture
def call(world: World) -> Client:
    return Client(world)


def new(world: World, external_id: str, **more: Any) -> pb.NewContact:
    return pb.NewContact(
        account=world.accounts["api"], external_id=external_id, email="mara@posta.example", text="Ciao", **more
    )


def test_a_batch_is_answered_item_by_item(world: World, call: Client) -> None:
    wrong = pb.NewContact(account=world.accounts["api"], external_id="b", text="Ciao")
    nowhere = pb.NewContact(account="acc_none", external_id="c", email="a@b.example", text="Ciao")

    answer = call(
        "AcceptContacts", pb.AcceptContactsRequest(contacts=[new(world, "a"), wrong, nowhere, new(world, "a")])
    )

    assert [(item.kind, item.field, item.duplicate) for item in answer.items] == [
        ("", "", False),
        ("invalid", "from", False),
        ("not_found", "account", False),
        ("", "", True),
    ]
    assert len(world.events(topics.CONTACTS)) == 1


def test_texts_too_long_for_a_call_are_handed_over_by_key(world: World, call: Client) -> None:
    text = "Wo ist mein Päckchen? " * 300_000
    world.parts.blobs.put("desk/upl_1/text", text.encode())
    long = new(world, "a", text_blob=common.Blob(key="desk/upl_1/text"))
    foreign = new(world, "b", html_blob=common.Blob(key="intake/con_1/0"))

    answer = call("AcceptContacts", pb.AcceptContactsRequest(contacts=[long, foreign]))

    assert [(item.kind, item.field) for item in answer.items] == [("", ""), ("invalid", "attachments")]
    (record,) = world.events(topics.CONTACTS)
    kept = ContactReceived.FromString(record.envelope.payload)
    assert world.parts.blobs.get(kept.body.key) == text.encode()


def test_hook_and_call_know_each_others_contacts(world: World, call: Client) -> None:
    first = world.post({"external_id": "a", "from": {"email": "mara@posta.example"}, "text": "Ciao"})

    answer = call("AcceptContacts", pb.AcceptContactsRequest(contacts=[new(world, "a")]))

    assert answer.items[0].duplicate
    assert answer.items[0].id == first.json()["id"]


def test_another_brands_account_does_not_exist(world: World, call: Client) -> None:
    answer = call("AcceptContacts", pb.AcceptContactsRequest(contacts=[new(world, "a")]), ELSEWHERE)

    assert answer.items[0].kind == "not_found"
    assert not call("ListAccounts", pb.ListAccountsRequest(), ELSEWHERE).accounts
    assert not call("ListBrands", common.Empty(), ELSEWHERE).brands
    with pytest.raises(NotFound):
        call("SwitchAccount", pb.SwitchAccountRequest(id=world.accounts["api"], on=False), ELSEWHERE)


def test_secrets_are_stored_encrypted_and_never_shown(world: World, call: Client) -> None:
    request = pb.PutAccountRequest(
        id=world.accounts["api"],
        channel="api",
        secrets={"webhook_secret": "whsec_canary"},
        settings={"callback_url": "https://shop.example/hook"},
    )

    shown = call("PutAccount", request)
    listed = call("ListAccounts", pb.ListAccountsRequest(channel="api")).accounts[0]

    assert list(shown.secrets_set) == list(listed.secrets_set) == ["webhook_secret"]
    assert b"canary" not in shown.SerializeToString() + listed.SerializeToString()
    assert b"canary" not in b"".join(path.read_bytes() for path in world.parts.data.glob("intake.db*"))


def test_unknown_settings_and_stale_versions_are_refused(world: World, call: Client) -> None:
    with pytest.raises(Invalid) as wrong:
        call("PutAccount", pb.PutAccountRequest(id=world.accounts["api"], settings={"colour": "red"}))
    with pytest.raises(Conflict):
        call("PutAccount", pb.PutAccountRequest(id=world.accounts["api"], version=99))

    assert wrong.value.field == "colour"


def test_a_brand_is_changed_and_checked(world: World, call: Client) -> None:
    brand = call("ListBrands", common.Empty()).brands[0]
    brand.shop_origin = "https://shop.example"

    changed = call("PutBrand", brand)
    with pytest.raises(Conflict):
        call("PutBrand", brand)
    changed.time_zone = "Mars/Base"
    with pytest.raises(Invalid) as wrong:
        call("PutBrand", changed)

    assert changed.version == 2
    assert wrong.value.field == "time_zone"


def test_every_channel_is_listed_with_what_it_can_do(world: World, call: Client) -> None:
    kinds = {kind.id: kind for kind in call("ListAccounts", pb.ListAccountsRequest()).channels}

    assert {"api", "chat", "email", "webform", "x"} <= set(kinds)
    assert kinds["x"].capabilities.length_unit == "x_weighted"
    assert kinds["chat"].capabilities.live


def test_test_says_each_step(world: World, call: Client) -> None:
    steps = call("TestAccount", pb.TestAccountRequest(id=world.accounts["webform"])).steps

    assert [(step.ok, step.detail) for step in steps] == [(True, "/c/lumaca-casa/contact")]


def test_cancelling_before_it_came_leaves_a_tombstone(call: Client) -> None:
    answer = call("CancelDelivery", pb.CancelDeliveryRequest(reply_id="int_9"))

    assert answer.cancelled


def test_mail_addresses_are_ours_in_any_case_and_with_any_suffix(world: World) -> None:
    here = world.directory.accounts_for_address

    known = [
        "AIUTO@Lumaca.Example",
        "aiuto+tkt_1-abc@lumaca.example",
        "bounces+dlv_1-x@lumaca.example",
        "postmaster@lumaca.example",
        "postmaster",
    ]

    assert [bool(here(address)) for address in known] == [True] * 5
    assert [
        list(here(address))
        for address in ("altri@lumaca.example", "aiuto@other.example", "postmaster@other.example", "")
    ] == [[]] * 4


class Postman:
    """A mail channel whose `notify` does what the test says."""

    fields = ()

    def __init__(self, like: Any, fault: Exception | None = None) -> None:
        self.capabilities, self.fault = like.capabilities, fault
        self.sent: list[str] = []

    def notifies(self, account: Any) -> bool:
        return bool(account.address)

    def notify(self, notice: Any, _account: Any) -> None:
        if self.fault is not None:
            raise self.fault
        self.sent.append(notice.to)


def postman(world: World, fault: Exception | None = None) -> Postman:
    made = Postman(world.directory.channels["email"], fault)
    world.directory.channels["email"] = made
    return made


def a_notice(to: str = "anna@staff.example") -> pb.Notice:
    return pb.Notice(id="rst_1", to=to, subject="x", text="y")


def test_a_notice_leaves_by_an_account_that_is_on(world: World, call: Client) -> None:
    made = postman(world)

    call("SendNotice", a_notice(), None)
    able = call("CanSendNotices", common.Empty(), None).able
    call("SwitchAccount", pb.SwitchAccountRequest(id=world.accounts["email"], on=False))

    assert able
    assert made.sent == ["anna@staff.example"]
    assert not call("CanSendNotices", common.Empty(), None).able
    with pytest.raises(Invalid):
        call("SendNotice", a_notice(), None)


def test_without_a_relay_there_is_no_way_out_and_nothing_is_lost_in_silence(call: Client) -> None:
    assert not call("CanSendNotices", common.Empty(), None).able
    with pytest.raises(Invalid, match="ASCOLTO_SMTP_OUT"):
        call("SendNotice", a_notice(), None)


@pytest.mark.parametrize("to", ["aiuto@lumaca.example", "Aiuto+x@Lumaca.example", "postmaster@lumaca.example"])
def test_a_notice_is_never_sent_to_a_mailbox_that_every_agent_reads(world: World, call: Client, to: str) -> None:
    made = postman(world)

    with pytest.raises(Invalid) as refused:
        call("SendNotice", a_notice(to), None)

    assert refused.value.field == "to"
    assert made.sent == []


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (NotSent("421 Later.", retry=True), Unavailable),
        (NotSent("550 Nobody.", retry=False), Invalid),
        (Uncertain("Lost after the final dot."), None),
    ],
)
def test_what_the_mail_server_says_tells_whether_to_try_again(
    world: World, call: Client, fault: Exception, error: type[Exception] | None
) -> None:
    postman(world, fault)

    if error is None:
        call("SendNotice", a_notice(), None)
    else:
        with pytest.raises(error):
            call("SendNotice", a_notice(), None)
