"""E-mail: letters in by SMTP, LMTP and IMAP, letters out by SMTP, one thread a ticket by signed addresses and ids."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence

from services.intake.channels.email import submit
from services.intake.channels.email.inbound import inbound
from services.intake.listeners import imap
from services.intake.mail import compose as wire
from services.intake.mail import subject as subjects
from services.intake.mail.parse import outline
from services.intake.mail.parsed import Address, MailFile, ParsedMail, Unparsable
from services.intake.mail.tokens import MailTokens
from services.intake.parser_process import MailParser, TooSlow
from services.intake.ports import (
    Account,
    Capabilities,
    Feed,
    Inbound,
    Notice,
    NotSent,
    Outbound,
    OverBudget,
    RawContact,
    Receipt,
    SettingField,
    Step,
    Threading,
    Tools,
)
from services.kit.errors import AscoltoError, Invalid, Unavailable
from services.kit.spool import Spool

_CAPABILITIES = Capabilities(
    threading=Threading.MAIL,
    acknowledge_by="email",
    html=True,
    subject=True,
    recipients=True,
    letters=True,
    max_attachments=50,
    max_attachment_bytes=20 * 1024 * 1024,  # many servers refuse mails over 25 MB once encoded
    undo_s=10,
    unique_per_brand=True,
    keeps_original=True,
)
_FIELDS = (
    SettingField("from_name", "Sender's name"),
    SettingField("agent_names", "Show the agent's name as sender", kind="flag", default="0"),
    SettingField("smtp_host", "Outgoing server (empty: the installation's)"),
    SettingField("smtp_port", "Port of the outgoing server", kind="number", default="587"),
    SettingField("smtp_tls", "Encryption of the outgoing server: starttls, implicit or none", default="starttls"),
    SettingField("smtp_user", "User name at the outgoing server"),
    SettingField("smtp_password", "Password at the outgoing server", secret=True),
    SettingField("imap_host", "Mailbox server (empty: mail comes in by SMTP)"),
    SettingField("imap_port", "Port of the mailbox server", kind="number", default="993"),
    SettingField("imap_tls", "Encryption of the mailbox server: implicit, starttls or none", default="implicit"),
    SettingField("imap_user", "User name at the mailbox (empty: the address)"),
    SettingField("imap_password", "Password of the mailbox", secret=True),
    SettingField("imap_folders", "Folders to read, separated by commas", default="INBOX"),
    SettingField("imap_poll_s", "Seconds between two looks into the mailbox", kind="number", default="60"),
    SettingField("reply_to_is_sender", "The customer stands in Reply-To (forms of a shop)", kind="flag", default="0"),
    SettingField("authserv_id", "Name of our own server in Authentication-Results"),
)


def build(tools: Tools) -> EmailChannel:
    """The channel with its parser, whose processes start with the first mail."""
    return EmailChannel(tools)


class EmailChannel:
    """Mail, as intake's core sees it. Safe to share between threads."""

    id = "email"
    capabilities = _CAPABILITIES
    fields: Sequence[SettingField] = _FIELDS

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        key = tools.keys.derive("mail-token")
        self._tokens = MailTokens(key)
        self._loop_mark = f"ascolto-{hashlib.sha256(key + b'loop').hexdigest()[:16]}"
        self._spool = Spool(tools.data)
        self._parser = MailParser(self._spool)

    def parse(self, raw: RawContact, account: Account, *, budget_s: float) -> Sequence[Inbound]:
        """One mail, one contact. What cannot be read is taken in by its outline, marked with the reason."""
        try:
            mail = self._parser.parse(raw.body, budget_s=budget_s)
        except (TooSlow, Unavailable) as error:
            raise OverBudget from error  # stored, and parsed later with more time
        except Unparsable as error:
            mail = outline(raw.body, error.reason)
        return [self._inbound(mail, raw, account)]

    def parse_many(
        self, raws: Sequence[RawContact], account: Account, *, budget_s: float
    ) -> list[Inbound | OverBudget]:
        """As `parse`, for many at once: one trip to the parser's process."""
        found: list[Inbound | OverBudget] = []
        outcomes = self._parser.parse_many([raw.body for raw in raws], budget_s=budget_s)
        for raw, outcome in zip(raws, outcomes, strict=True):
            if isinstance(outcome, TooSlow):
                found.append(OverBudget())
                continue
            mail = outline(raw.body, outcome.reason) if isinstance(outcome, Unparsable) else outcome
            found.append(self._inbound(mail, raw, account))
        return found

    def _inbound(self, mail: ParsedMail, raw: RawContact, account: Account) -> Inbound:
        return inbound(mail, raw, account, tokens=self._tokens, loop_mark=self._loop_mark)

    def compose(self, outbound: Outbound, account: Account) -> tuple[str, list[str], bytes, str]:
        """Envelope sender, recipients, the mail's bytes and its Message-ID. Raises `Invalid` for unusable addresses."""
        message_id = self._tokens.message_id(account.address, outbound.delivery_id, outbound.ticket_id)
        signature = f"-- \n{outbound.signature}" if outbound.signature else ""
        text = f"{outbound.text}\n\n{signature}" if signature else outbound.text
        letter = wire.Letter(
            sender=Address(self._sender_name(outbound, account), account.address),
            to=tuple(Address(one.name, one.value) for one in outbound.to),
            cc=tuple(Address(one.name, one.value) for one in outbound.cc),
            subject=subjects.with_mark(outbound.subject, outbound.ticket_number),
            text=text,
            html=outbound.html and outbound.html + wire.paragraphs(signature),
            message_id=message_id,
            date=self._tools.clock.now(),
            reply_to=self._tokens.reply_address(account.address, outbound.ticket_id) if outbound.ticket_id else "",
            in_reply_to=outbound.in_reply_to,
            references=outbound.references,
            files=tuple(MailFile(name=one.name, media_type=one.media_type, content=bytes(one.data)) for one in outbound.attachments),
            automatic=outbound.automatic,
            loop_mark=self._loop_mark,
            language=outbound.language or account.language,
        )  # fmt: skip
        sender = self._tokens.bounce_address(account.address, outbound.delivery_id)
        return sender, wire.envelope_recipients(letter), wire.compose(letter), message_id

    def _sender_name(self, outbound: Outbound, account: Account) -> str:
        shop = account.setting("from_name") or account.brand_name
        if outbound.author_name and account.flag("agent_names"):
            return f"{outbound.author_name}, {shop}" if shop else outbound.author_name
        return shop

    def send(self, outbound: Outbound, account: Account) -> Receipt:
        """Sends once. The Message-ID is that of the delivery, the same on every attempt."""
        try:
            relay = submit.relay_of(account, self._tools.settings.smtp_out)
            sender, recipients, mail, message_id = self.compose(outbound, account)
        except Invalid as error:
            raise NotSent(error.message, retry=False, account=error.field.startswith(("smtp", "ASCOLTO"))) from error
        if not recipients:
            raise NotSent("The answer has no recipient.", retry=False)
        return submit.submit(relay, sender, recipients, mail, message_id=message_id)

    def notifies(self, account: Account) -> bool:
        """Whether the installation has a relay of its own.

        An account's server will not do: who may set accounts up could read the links to colleagues' passwords there.
        """
        return bool(account.address and self._tools.settings.smtp_out)

    def notify(self, notice: Notice, account: Account) -> None:
        """One plain mail from the account's address by the installation's relay. Its envelope names no sender, so that no bounce comes to the inbox."""
        letter = wire.Letter(
            sender=Address(account.setting("from_name") or account.brand_name, account.address),
            to=(Address("", notice.to),),
            subject=notice.subject,
            text=notice.text,
            message_id=f"{notice.id}@{account.address.rpartition('@')[2]}",
            date=self._tools.clock.now(),
            automatic=True,
            loop_mark=self._loop_mark,
            language=notice.language,
        )
        try:
            relay, mail = submit.relay_of_url(self._tools.settings.smtp_out), wire.compose(letter)
        except Invalid as error:
            raise NotSent(error.message, retry=False) from error
        submit.submit(relay, "", wire.envelope_recipients(letter), mail, message_id=letter.message_id)

    def test(self, account: Account) -> Sequence[Step]:
        """Signs in at the outgoing server and at the mailbox, without writing to anybody."""
        steps: list[Step] = []
        try:
            relay = submit.relay_of(account, self._tools.settings.smtp_out)
            server = submit.connect(relay)
            server.close()
            steps.append(Step("outgoing server", ok=True, detail=f"{relay.host}:{relay.port}, {relay.tls}"))
        except NotSent as error:
            return [*steps, Step("outgoing server", ok=False, detail=error.message)]
        except Invalid as error:
            return [*steps, Step("outgoing server", ok=False, detail=error.message)]
        if self.listens_to(account):
            try:
                detail = imap.Mailbox.of(account).look()
                steps.append(Step("mailbox", ok=True, detail=detail))
            except AscoltoError as error:
                steps.append(Step("mailbox", ok=False, detail=error.message))
        return steps

    def listens_to(self, account: Account) -> bool:
        """Whether a mailbox is set."""
        return bool(account.setting("imap_host"))

    def listen(self, account: Account, feed: Feed, stop: threading.Event) -> None:
        """Reads the mailbox until `stop`."""
        imap.Poller(imap.Mailbox.of(account), account.id, feed, self._tools.clock, self._spool).run(stop)

    def close(self) -> None:
        """Ends the parser's processes."""
        self._parser.close()
