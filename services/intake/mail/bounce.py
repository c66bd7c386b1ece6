"""Delivery reports read: DSN (RFC 3464), spam complaints (ARF, RFC 5965), and the free texts of the common servers."""

from __future__ import annotations

import re
from collections.abc import Iterable

from services.intake.mail.headers import Headers, ids, read
from services.intake.mail.parsed import Bounce, BounceRecipient, Outcome

_TEXT_CHARS = 20_000  # a free-text bounce says what it has to say early
_MAX_RECIPIENTS = 200
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_REPLY_CODE = re.compile(r"(?:^|[\s:(\[-])([45]\d\d)[ -]")
_ADDRESS = re.compile(r"[A-Za-z0-9._%+'=-]{1,64}@[A-Za-z0-9.-]{1,200}\.[A-Za-z]{2,24}")
_SUBJECT = re.compile(
    r"undeliver|delivery (?:status notification|failure|has failed|incomplete|notification|problem)|mail delivery (?:failed|failure|system|subsystem)|returned mail|failure notice|non[- ]?deliverable|message not delivered|could not be delivered|mail system error|delivery delayed"
    r"|unzustellbar|nicht zugestellt|zustellung (?:fehlgeschlagen|verzögert)|mancato recapito|non recapitabile|recapito non riuscito|consegna fallita|non remis|échec de (?:la )?remise|non délivré|no entregado|no se puede entregar|error de entrega|não (?:entregue|foi entregue)|falha na entrega|niet (?:bezorgd|afgeleverd)|onbestelbaar|nie dostarczono|niedostarczon|не доставлено|退信|无法投递|無法傳遞|配信不能|配信エラー",
    re.IGNORECASE,
)
_BODY = re.compile(
    r"hi\. this is the qmail|this is the mail system at host|this message was created automatically by mail delivery|delivery to the following recipients? failed|your message (?:wasn't|was not|could not be|couldn't be) delivered|address not found|the following addresses? had permanent fatal errors|could not be delivered to one or more|undeliverable|recipient address rejected|user unknown|mailbox (?:unavailable|is full)|message could not be delivered",
    re.IGNORECASE,
)
_ORIGINAL_ID = re.compile(r"^[> \t]*message-id:\s*<([^<>\s]{1,900})>", re.IGNORECASE | re.MULTILINE)
_FULL = re.compile(
    r"quota|mailbox (?:is )?full|over ?quota|storage|casella piena|postfach (?:ist )?voll", re.IGNORECASE
)
_POLICY = re.compile(r"spam|policy|blocked|blacklist|reputation|dmarc|\bspf\b|dkim|rejected due to|not authorized|access denied|greylist", re.IGNORECASE)  # fmt: skip
_SOFT = re.compile(
    r"temporar|try again|will retry|delayed|timed? ?out|deferred|verzögert|connection refused", re.IGNORECASE
)


def outcome(action: str, status: str, diagnostic: str) -> Outcome:
    """What a report means for the address. Source: RFC 3463; 5.2.2 and 5.7.x are not the death of an address."""
    action = action.lower()
    if action in {"delivered", "relayed", "expanded"}:
        return Outcome.DELIVERED
    if action == "delayed":
        return Outcome.DELAYED
    if status.endswith(".2.2") or (not status and _FULL.search(diagnostic)):
        return Outcome.FULL
    if status[:2] == "5." and status.split(".")[1:2] == ["7"]:
        return Outcome.POLICY
    if status.endswith(".3.4"):
        return Outcome.POLICY
    if status[:1] == "4":
        return Outcome.SOFT
    if not status or status == "5.0.0":
        if _POLICY.search(diagnostic):
            return Outcome.POLICY
        if _SOFT.search(diagnostic) and not _REPLY_CODE.search(diagnostic):
            return Outcome.SOFT
    return Outcome.HARD


def from_report(kind: str, report: str, original: bytes) -> Bounce:
    """A `multipart/report`: the machine-readable part as text, and the returned mail or its headers."""
    original_id = next(iter(ids(read(original, bounded=False).get("message-id"))), "") if original else ""
    if kind == "feedback-report":
        people = tuple(
            BounceRecipient(address=one, outcome=Outcome.COMPLAINT)
            for one in dict.fromkeys(_values(report, "original-rcpt-to"))
            if one
        )
        return Bounce("arf", people or (BounceRecipient("", Outcome.COMPLAINT),), original_id)
    people_by_address: dict[str, BounceRecipient] = {}
    for group in re.split(r"\n[ \t]*\n", report[:200_000]):
        fields = _fields(group)
        address = _typed(fields.get("original-recipient") or fields.get("final-recipient", ""))
        if not address or len(people_by_address) >= _MAX_RECIPIENTS:
            continue
        status = (_STATUS.search(fields.get("status", "")) or [""])[0]
        diagnostic = _typed(fields.get("diagnostic-code", ""))
        if status in {"", "5.0.0"} and (better := _STATUS.search(diagnostic)):
            status = better.group(1)
        verdict = outcome(fields.get("action", "failed"), status, diagnostic)
        people_by_address.setdefault(address.lower(), BounceRecipient(address, verdict, status, diagnostic[:500]))
    return Bounce("dsn", tuple(people_by_address.values()), original_id)


def from_text(headers: Headers, *, sender: str, subject: str, text: str, null_sender: bool) -> Bounce | None:
    """A bounce written as free text, or None. It must come from a daemon or the null sender, and read like one."""
    local = sender.rpartition("@")[0].lower()
    daemon = null_sender or local.startswith(("mailer-daemon", "mailerdaemon", "postmaster", "mail-daemon", "mailsystem", "microsoftexchange"))  # fmt: skip
    body = text[:_TEXT_CHARS]
    failed = [one.strip() for value in headers.all("x-failed-recipients") for one in value.split(",") if "@" in one]
    if not (failed or (daemon and (_SUBJECT.search(subject[:300]) or _BODY.search(body)))):
        return None
    original = _ORIGINAL_ID.search(body) or _ORIGINAL_ID.search(text[-_TEXT_CHARS:])
    said = body[: original.start()] if original else body
    addresses = (
        failed or [one for one in dict.fromkeys(_ADDRESS.findall(said[:4_000])) if one.lower() != sender.lower()][:5]
    )
    status = (_STATUS.search(said) or ["", ""])[0]
    if not status and (code := _REPLY_CODE.search(said)):
        status = f"{code.group(1)[0]}.0.0"
    delayed = re.search(r"delay|verzögert|ritard|warning|not yet been delivered", subject, re.IGNORECASE)
    diagnostic = next(
        (line.strip() for line in said.split("\n") if _STATUS.search(line) or _REPLY_CODE.search(line)), ""
    )
    verdict = outcome("delayed" if delayed else "failed", status, diagnostic or said[:1_000])
    original_id = (
        original.group(1) if original else next(iter(ids(headers.get("in-reply-to") or headers.get("references"))), "")
    )
    people = tuple(BounceRecipient(one, verdict, status, diagnostic[:500]) for one in addresses[:_MAX_RECIPIENTS])
    return Bounce("text", people, original_id)


def _fields(group: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in group.split("\n"):
        if line[:1] in {" ", "\t"} and name:
            fields[name] += " " + line.strip()
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields.setdefault(name, value.strip())
    return fields


def _values(report: str, name: str) -> Iterable[str]:
    for line in report[:200_000].split("\n"):
        field, _, value = line.partition(":")
        if field.strip().lower() == name:
            yield _typed(value).strip("<> ")


def _typed(value: str) -> str:
    """A value without its type: `rfc822; a@b.example`."""
    kind, mark, rest = value.partition(";")
    return (rest if mark and " " not in kind.strip() and "@" not in kind else value).strip().strip("<>")
