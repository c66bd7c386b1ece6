"""From a parsed mail to the words every channel shares. Pure, but for the account's settings and the tokens' key."""

from __future__ import annotations

from services.intake.mail import keys
from services.intake.mail.parsed import Address, Outcome, ParsedMail
from services.intake.mail.parsed import Automatic as MailKind
from services.intake.mail.tokens import MailTokens, ancestors, is_bounce_address, plain_address
from services.intake.ports import Account, Act, Attachment, Automatic, Bounce, Identity, Inbound, RawContact

_REASONS = {
    Outcome.HARD: "the address does not exist",
    Outcome.SOFT: "it may work later",
    Outcome.FULL: "the mailbox is full",
    Outcome.POLICY: "the mail was refused",
    Outcome.DELAYED: "it is delayed",
    Outcome.DELIVERED: "it was delivered",
    Outcome.COMPLAINT: "the reader marked it as unwanted",
}
_FINAL = frozenset({Outcome.HARD, Outcome.POLICY, Outcome.FULL})


def inbound(mail: ParsedMail, raw: RawContact, account: Account, *, tokens: MailTokens, loop_mark: str) -> Inbound:
    """The contact. Its event key is that of the mail's content, so that a copy in another mailbox is the same contact."""
    event_key = keys.transport_key(raw.body)
    envelope_to = tuple(raw.meta.get("rcpt_to", "").split())
    author = _author(mail, account)
    verdict, verified = _verdict(mail, account)
    text = mail.reply or mail.text or mail.reaction
    quoted = "\n\n".join(part for part in (mail.signature, mail.quoted) if part)
    truncated = "it is larger than is taken in; it is in the mailbox" if raw.meta.get("truncated") else ""
    return Inbound(
        event_key=event_key,
        external_id=mail.message_id or event_key,
        conversation=author.address.lower() or event_key,
        act=Act.BOUNCE if mail.bounce else Act.MESSAGE,
        sender=Identity("email", author.address, author.name, verified=verified) if author.address else None,
        to=_people(mail.to, account, tokens),
        cc=_people(mail.cc, account, tokens),
        subject=mail.subject,
        text=text,
        quoted_text=quoted,
        html=mail.html,
        attachments=tuple(
            Attachment(one.name, one.media_type, one.content, one.content_id if one.inline else "")
            for one in mail.files
        ),
        automatic=_automatic(mail, account, tokens=tokens, loop_mark=loop_mark, envelope_to=envelope_to),
        token_ticket_id=next(filter(None, map(tokens.ticket_of_address, envelope_to)), "") or tokens.ticket_of(mail),
        ancestors=ancestors(mail),
        references=mail.references,
        message_id=mail.message_id,
        reply_to=_reply_to(mail, author, account, tokens),
        subject_number=mail.subject_number,
        language=mail.language,
        occurred_at=mail.date,
        sender_verdict=verdict,
        not_rendered=truncated or mail.not_rendered,
        bounce=_bounce(mail, tokens, envelope_to) if mail.bounce else None,
    )


def _author(mail: ParsedMail, account: Account) -> Address:
    """Who wrote it: From; behind a list that rewrites From, the original sender; for shop forms, Reply-To if so set."""
    if mail.original_sender and mail.sender.address in {one.address for one in (*mail.to, *mail.cc)}:
        return mail.original_sender
    if mail.reply_to and account.flag("reply_to_is_sender"):
        return mail.reply_to[0]
    return mail.sender


def _reply_to(mail: ParsedMail, author: Address, account: Account, tokens: MailTokens) -> str:
    for one in mail.reply_to:
        if one.address.lower() != author.address.lower() and not _is_own(one.address, account, tokens):
            return one.address
    return ""


def _people(people: tuple[Address, ...], account: Account, tokens: MailTokens) -> tuple[Identity, ...]:
    """Recipients; our own address without the token that stands in it."""
    found: dict[str, Identity] = {}
    for one in people:
        address = account.address if _is_own(one.address, account, tokens) else one.address
        found.setdefault(address.lower(), Identity("email", address, one.name))
    return tuple(found.values())


def _is_own(address: str, account: Account, tokens: MailTokens) -> bool:
    return plain_address(address) == plain_address(account.address) or bool(tokens.ticket_of_address(address))


def _automatic(
    mail: ParsedMail, account: Account, *, tokens: MailTokens, loop_mark: str, envelope_to: tuple[str, ...]
) -> Automatic:
    if mail.bounce:
        return Automatic.BOUNCE
    if tokens.is_ours(mail) or loop_mark in mail.loop_marks or _is_own(mail.sender.address, account, tokens):
        return Automatic.OWN
    kind = Automatic[mail.automatic.value]
    to_bounces = any(map(is_bounce_address, (*envelope_to, *mail.delivered_to)))
    if kind is Automatic.PERSON and (to_bounces or mail.return_path == "" or _is_nobody(mail)):
        return Automatic.SYSTEM  # mail to a bounce address, or from nobody, is never answered by a machine
    return kind


def _is_nobody(mail: ParsedMail) -> bool:
    return not mail.sender.address and mail.automatic is MailKind.PERSON


def _verdict(mail: ParsedMail, account: Account) -> tuple[str, bool]:
    """What our own border says of the sender, and whether the sender is who they say.

    Only the topmost Authentication-Results counts, and only under the server name set for the account.
    Source: RFC 8601, sections 1.6 and 5.
    """
    trusted = account.setting("authserv_id").lower()
    if not trusted or not mail.authentication or mail.authentication[0][0] != trusted:
        return "", False
    results: dict[str, str] = {}
    for part in mail.authentication[0][1].lower().split(";"):
        words = part.split()
        method, mark, result = words[0].partition("=") if words else ("", "", "")
        if mark and method in {"spf", "dkim", "dmarc"}:
            results.setdefault(method, result)
    verdict = " ".join(f"{method}={result}" for method, result in results.items())
    return verdict, results.get("dmarc") == "pass"


def _bounce(mail: ParsedMail, tokens: MailTokens, envelope_to: tuple[str, ...]) -> Bounce:
    assert mail.bounce is not None
    people = [one for one in mail.bounce.recipients if one.outcome is not Outcome.DELIVERED]
    worst = next((one for one in people if one.outcome in _FINAL), people[0] if people else None)
    reason = " ".join(filter(None, (_REASONS[worst.outcome], worst.status))) if worst else "returned without a reason"
    return Bounce(
        delivery_id=tokens.delivery_of(mail, envelope_to=envelope_to),
        message_id=mail.bounce.original_message_id,
        recipients=tuple(one.address for one in people if one.address and one.outcome in _FINAL),
        hard=worst is not None and worst.outcome in _FINAL,
        reason=reason,
    )
