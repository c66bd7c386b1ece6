"""gRPC → use cases: contacts by machines, deliveries, brands, accounts, quarantine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ascolto.common.v1 import envelope_pb2 as common
from ascolto.intake.v1 import events_pb2 as events
from ascolto.intake.v1 import service_pb2 as pb
from ascolto.intake.v1 import service_pb2_grpc as rpc
from services.intake import wire
from services.intake.channels import api
from services.intake.domain.contact import Accepted, Attachment, Mode, RawContact
from services.intake.ports import Channel, Notice
from services.intake.store import accounts as account_store
from services.intake.store import deliveries as delivery_store
from services.intake.store import inbound as inbound_store
from services.intake.usecases import deliver
from services.intake.usecases.accept import Acceptor
from services.intake.usecases.accounts import Accounts
from services.intake.usecases.directory import Directory
from services.intake.usecases.notices import Notices
from services.intake.usecases.prepare import Prepared
from services.intake.usecases.replay import Replayer
from services.kit import crash
from services.kit.clock import Clock
from services.kit.errors import AscoltoError, Forbidden, Invalid, NotFound, RateLimited, Unavailable
from services.kit.principal import Person
from services.kit.rpc import person_of
from services.kit.uow import Database

if TYPE_CHECKING:
    from grpc import ServicerContext

MAX_BATCH = 100
_DECISIONS = ("retry", "mark_sent", "give_up")


@dataclass(frozen=True, slots=True)
class Deps:
    """What the calls work with."""

    database: Database
    directory: Directory
    acceptor: Acceptor
    accounts: Accounts
    replayer: Replayer
    notices: Notices
    clock: Clock
    typing: Callable[[str, str, str], None]


class IntakeServicer(rpc.IntakeServicer):
    """The calls of `ascolto.intake.v1.Intake`."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @property
    def _now_us(self) -> int:
        return int(self._deps.clock.now().timestamp() * 1_000_000)

    def AcceptContacts(self, request: pb.AcceptContactsRequest, context: ServicerContext) -> pb.AcceptContactsResponse:
        """Takes in up to 100; what is refused says why, the others are stored in one commit."""
        person = person_of(context)
        if len(request.contacts) > MAX_BATCH:
            raise Invalid(f"At most {MAX_BATCH} contacts a call.", field="contacts")
        answers: list[Accepted | None] = []
        batch: list[Prepared] = []
        for one in request.contacts:
            try:
                batch.append(self._prepared(one, person))
                answers.append(None)
            except (Unavailable, RateLimited):
                raise
            except AscoltoError as error:
                answers.append(Accepted("", error=error.message, field=error.field, kind=error.kind))
        stored = iter(self._deps.acceptor.submit(batch).result() if batch else [])
        crash.point("intake.after_commit")
        return pb.AcceptContactsResponse(items=[_accepted(answer or next(stored)) for answer in answers])

    def _prepared(self, one: pb.NewContact, person: Person) -> Prepared:
        account = self._deps.directory.open_account(one.account)
        if not person.sees_brand(account.brand_id):
            raise NotFound(f"There is no account {one.account[:60]}; the settings page lists them.", field="account")
        if not self._deps.directory.channels[account.channel].capabilities.receives:
            raise Invalid("This account only sends.", field="account")
        if one.HasField("text_blob") or one.HasField("html_blob"):
            one = self._whole(one)
        found = api.inbound(
            external_id=one.external_id,
            conversation=one.conversation,
            people=(one.email, one.phone, one.handle, one.name),
            subject=one.subject,
            text=one.text,
            html=one.html,
            occurred_at=wire.moment(one.occurred_at.ToMicroseconds()) if one.HasField("occurred_at") else None,
            attachments=[
                Attachment(f.name, f.media_type, self._deps.acceptor.preparer.handed_over(f.key) if f.key else f.inline)
                for f in one.attachments
            ],
            now=self._deps.clock.now(),
        )
        mode = Mode.IMPORT if one.mode == common.MODE_IMPORT else Mode.LIVE
        raw = RawContact(
            account_id=account.id,
            transport_key=one.external_id,
            body=one.SerializeToString(),
            media_type="application/x-protobuf",
            mode=mode,
        )
        return self._deps.acceptor.prepared(raw, account, [found])

    def _whole(self, one: pb.NewContact) -> pb.NewContact:
        """The contact with the texts that were handed over by key."""
        whole = pb.NewContact()
        whole.CopyFrom(one)
        handed_over = self._deps.acceptor.preparer.handed_over
        try:
            if one.HasField("text_blob"):
                whole.text = handed_over(one.text_blob.key).decode()
            if one.HasField("html_blob"):
                whole.html = handed_over(one.html_blob.key).decode()
        except UnicodeDecodeError as error:
            raise Invalid("A text that was handed over is not UTF-8.", field="text") from error
        whole.ClearField("text_blob")
        whole.ClearField("html_blob")
        return whole

    def CancelDelivery(self, request: pb.CancelDeliveryRequest, context: ServicerContext) -> pb.CancelDeliveryResponse:
        """Stops a reply while it is queued."""
        person, now_us = person_of(context), self._now_us
        if not request.reply_id:
            raise Invalid("Say which reply.", field="reply_id")
        with self._deps.database.read() as reader:
            found = delivery_store.find_by_reply(reader, request.reply_id)
        if found is not None and not person.sees_brand(found.brand_id):
            raise NotFound(f"There is no reply {request.reply_id[:60]}.")
        cancelled, state = self._deps.database.write(
            lambda uow: deliver.cancel(uow, reply_id=request.reply_id, now_us=now_us)
        )
        return pb.CancelDeliveryResponse(cancelled=cancelled, state=f"DELIVERY_STATE_{state.name}")  # type: ignore[arg-type]  # protobuf takes the value's name

    def ResolveDelivery(self, request: pb.ResolveDeliveryRequest, context: ServicerContext) -> events.Delivery:
        """A person's decision."""
        if request.decision not in _DECISIONS:
            raise Invalid(f"The decision is one of {', '.join(_DECISIONS)}.", field="decision")
        person, now_us = person_of(context), self._now_us
        changed = self._deps.database.write(
            lambda uow: deliver.resolve(
                uow,
                delivery_id=request.delivery_id,
                reply_id=request.reply_id,
                decision=request.decision,
                brand_ids=person.brand_ids,
                now_us=now_us,
            )
        )
        return wire.delivery(changed)

    def ListBrands(self, request: common.Empty, context: ServicerContext) -> pb.ListBrandsResponse:
        """Every brand the caller may see."""
        person = person_of(context)
        brands = self._deps.directory.picture.brands.values()
        return pb.ListBrandsResponse(brands=[wire.brand(one) for one in brands if person.sees_brand(one.id)])

    def EnsureBrand(self, request: pb.EnsureBrandRequest, context: ServicerContext) -> pb.EnsureBrandResponse:
        """A working shop: brand, accounts of the usual channels, default hours. Repeatable."""
        if person_of(context).brand_ids:
            raise Forbidden("Only somebody who sees every brand can make one.")
        brand, accounts = self._deps.accounts.ensure_defaults(name=request.name, email=request.email)
        return pb.EnsureBrandResponse(brand=wire.brand(brand), accounts=accounts)

    def PutBrand(self, request: pb.Brand, context: ServicerContext) -> pb.Brand:
        """Makes or changes a brand."""
        person = person_of(context)
        if person.brand_ids and request.id not in person.brand_ids:
            raise Forbidden("Only somebody who sees every brand can make one.")
        return wire.brand(self._deps.accounts.put_brand(wire.parse_brand(request)))

    def ListAccounts(self, request: pb.ListAccountsRequest, context: ServicerContext) -> pb.ListAccountsResponse:
        """Accounts of the caller's brands, and the kinds of channels there are."""
        person = person_of(context)
        with self._deps.database.read() as reader:
            rows = account_store.accounts(reader)
        return pb.ListAccountsResponse(
            accounts=[
                self._account(row)
                for row in rows
                if person.sees_brand(row.brand_id)
                and request.brand_id in ("", row.brand_id)
                and request.channel in ("", row.channel)
                and row.channel in self._deps.directory.channels
            ],
            channels=[
                pb.ChannelKind(
                    id=name, capabilities=wire.capabilities(one.capabilities), fields=wire.fields(one.fields)
                )
                for name, one in self._deps.directory.channels.items()
            ],
        )

    def PutAccount(self, request: pb.PutAccountRequest, context: ServicerContext) -> pb.Account:
        """Makes or changes an account."""
        self._require_account(request.id, request.brand_id, person_of(context))
        row = self._deps.accounts.put_account(
            account_id=request.id,
            brand_id=request.brand_id,
            channel=request.channel,
            address=request.address,
            settings=dict(request.settings),
            secrets=dict(request.secrets),
            version=request.version,
        )
        return self._account(row)

    def TestAccount(self, request: pb.TestAccountRequest, context: ServicerContext) -> pb.TestAccountResponse:
        """Tries an account."""
        self._require_account(request.id, "", person_of(context))
        steps = self._deps.accounts.test(request.id)
        return pb.TestAccountResponse(steps=[pb.TestStep(name=s.name, ok=s.ok, detail=s.detail) for s in steps])

    def SwitchAccount(self, request: pb.SwitchAccountRequest, context: ServicerContext) -> pb.Account:
        """On or off."""
        self._require_account(request.id, "", person_of(context))
        return self._account(self._deps.accounts.switch(request.id, on=request.on, off_message=request.off_message))

    def _require_account(self, account_id: str, brand_id: str, person: Person) -> None:
        brand = self._deps.directory.account(account_id).brand_id if account_id else brand_id
        if not person.sees_brand(brand):
            raise NotFound(f"There is no account {account_id[:60]}.", field="account")

    def PutAccessKeys(self, request: pb.PutAccessKeysRequest, context: ServicerContext) -> common.Empty:
        """Replaces the copy of API tokens."""
        self._deps.accounts.put_access_keys([(key.id, key.hash, list(key.scopes)) for key in request.keys])
        return common.Empty()

    def ListQuarantine(self, request: common.Page, context: ServicerContext) -> pb.ListQuarantineResponse:
        """What could not be read, newest first."""
        limit = min(max(request.limit or 50, 1), 200)
        with self._deps.database.read() as reader:
            rows = inbound_store.list_quarantine(reader, after=request.after, limit=limit + 1)
            total = inbound_store.count_quarantine(reader)
            raws = {row.id: inbound_store.get_raw(reader, row.raw_id) for row in rows}
        sees = self._visible(person_of(context))
        items = [_quarantined(row, raws[row.id]) for row in rows[:limit] if row.account_id in sees]
        return pb.ListQuarantineResponse(items=items, next=rows[limit - 1].id if len(rows) > limit else "", total=total)

    def ReplayQuarantine(
        self, request: pb.ReplayQuarantineRequest, context: ServicerContext
    ) -> pb.ReplayQuarantineResponse:
        """Tries some of it, or all, again."""
        with self._deps.database.read() as reader:
            rows = (
                inbound_store.list_quarantine(reader, after="", limit=1000)
                if request.all
                else inbound_store.get_quarantine(reader, list(request.ids)[:1000])
            )
        sees = self._visible(person_of(context))
        results = []
        for row in rows:
            if row.account_id in sees:
                good, detail = self._deps.replayer.replay(row)
                results.append(pb.ReplayResult(id=row.id, ok=good, detail=detail))
        return pb.ReplayQuarantineResponse(results=results)

    def _visible(self, person: Person) -> set[str]:
        accounts = self._deps.directory.picture.accounts.values()
        return {one.id for one in accounts if person.sees_brand(one.brand_id)}

    def Typing(self, request: pb.TypingRequest, context: ServicerContext) -> common.Empty:
        """Tells a visitor that somebody writes."""
        self._require_account(request.account_id, "", person_of(context))
        self._deps.typing(request.account_id, request.conversation, request.name)
        return common.Empty()

    def SendNotice(self, request: pb.Notice, context: ServicerContext) -> common.Empty:
        """Writes to somebody of the staff."""
        self._deps.notices.send(
            Notice(
                id=request.id,
                to=request.to,
                subject=request.subject,
                text=request.text,
                language=request.language,
            )
        )
        return common.Empty()

    def CanSendNotices(self, request: common.Empty, context: ServicerContext) -> pb.CanSendNoticesResponse:
        """Whether there is a way out."""
        return pb.CanSendNoticesResponse(able=self._deps.notices.able)

    def _account(self, row: account_store.AccountRow) -> pb.Account:
        channel: Channel = self._deps.directory.channels[row.channel]
        known = self._deps.directory.picture.accounts.get(row.id)
        failing = row.state == "on" and bool(row.last_error)
        message = pb.Account(
            id=row.id,
            brand_id=row.brand_id,
            channel=row.channel,
            address=row.address,
            state="failing" if failing else row.state,
            last_error=row.last_error,
            settings=dict(row.settings),
            secrets_set=sorted(known.secrets) if known else [],
            version=row.version,
            capabilities=wire.capabilities(channel.capabilities),
            fields=wire.fields(channel.fields),
            off_message=row.off_message,
        )
        for name in ("last_success", "last_error", "last_in", "last_out"):
            if at_us := getattr(row, f"{name}_us"):
                getattr(message, f"{name}_at").FromMicroseconds(at_us)
        return message


def _accepted(of: Accepted) -> pb.Accepted:
    return pb.Accepted(id=of.id, duplicate=of.duplicate, error=of.error, field=of.field, kind=of.kind)


def _quarantined(row: inbound_store.Quarantined, raw: inbound_store.RawRow | None) -> pb.QuarantineItem:
    item = pb.QuarantineItem(
        id=row.id,
        account_id=row.account_id,
        channel=row.channel,
        reason=row.reason,
        state=row.state,
        contact_id=row.contact_id,
        last_reason=row.last_reason,
        attempts=row.attempts,
        size_bytes=raw.size_bytes if raw else 0,
    )
    if raw is not None:
        item.raw.CopyFrom(
            common.Blob(
                key=raw.blob_key, inline=raw.body[:32_768], media_type=raw.media_type, size_bytes=raw.size_bytes
            )
        )
    item.received_at.FromMicroseconds(row.received_us)
    return item
