"""A mail understood: `parse_mail` for all of it, `outline` for its headers when the rest must not be touched.

Pure: no clock, no network, no configuration. Run it within `parser_process`, which bounds its time and memory.
"""

from __future__ import annotations

import json
import re

from services.intake.mail import addresses, automatic, bounce, html, language, mime, quotes, subject
from services.intake.mail import headers as head
from services.intake.mail.headers import Headers
from services.intake.mail.lift import Lifted
from services.intake.mail.parsed import Address, Automatic, Bounce, MailFile, ParsedMail, Unparsable
from services.intake.mail.transfer import file_name
from services.kit.spool import Content

_ROUTES = (
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "x-envelope-to",
    "x-forwarded-to",
    "x-rcpt-to",
    "apparently-to",
)
_ONCE = ("from", "subject", "message-id", "date", "to", "reply-to")
_CID = re.compile(r'src="cid:([^"]{1,250})"')


def parse_mail(raw: bytes, lifted: Lifted | None = None) -> ParsedMail:
    """Everything a mail says. Raises `Unparsable` with a reason for people, and nothing else.

    `lifted` holds what was taken out of `raw` (`lift`), which must be that mail's.

    Source: RFC 5322, 2045 to 2049, 2047, 2231, 3834, 3464, 5965, 3676, 6532.
    """
    try:
        return _parse(raw, lifted)
    except Unparsable:
        raise
    except RecursionError as error:
        raise Unparsable("it is nested too deeply") from error
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, MemoryError) as error:
        raise Unparsable(f"the parser failed on it ({type(error).__name__})") from error


def outline(raw: Content, reason: str) -> ParsedMail:
    """What the first header lines say of a mail that cannot be read: who, when, which thread. Never raises.

    The result says `not_rendered=reason`; bounded work, safe to do outside the parser process.
    """
    headers = head.read(raw[:65_536], bounded=False)
    mail = _addressed(headers, flags=())
    values = {name: getattr(mail, name) for name in ParsedMail.__dataclass_fields__}
    values["not_rendered"] = reason
    values["automatic"] = _kind(headers, mail)
    values["never_answer"] = True  # nobody answers by machine what nobody understood
    return ParsedMail(**values)


def _parse(raw: bytes, lifted: Lifted | None) -> ParsedMail:
    if not raw.strip(b"\r\n \t\x00"):
        raise Unparsable("it is empty")
    headers = head.read(raw)
    if not headers.fields:
        raise Unparsable("it has no headers: it is not a mail")
    body = mime.read(raw, headers, lifted)
    flags = list(body.flags)
    flags += [f"{name} is there more than once" for name in _ONCE if headers.count(name) > 1]
    mail = _addressed(headers, flags=tuple(flags))
    markup = "\n<hr>\n".join(body.htmls)
    text = "\n\n".join(one.strip("\n") for one in body.texts if one.strip())
    if markup and not text:
        text = html.as_text(markup)
    clean = html.sanitise(markup) if markup else ""
    report = _bounce(headers, body, mail, text)
    parted = quotes.separate(text, forward_subject=subject.is_forward(mail.subject))
    kind = Automatic.BOUNCE if report else _kind(headers, mail)
    if body.calendar_reply and kind is Automatic.PERSON:
        kind = Automatic.SYSTEM
    values = {name: getattr(mail, name) for name in ParsedMail.__dataclass_fields__}
    values.update(
        text=text.replace(html.QUOTE_STARTS, "").strip("\n"),
        reply=parted.reply,
        quoted=parted.quoted,
        signature=parted.signature,
        forward=parted.forward,
        forwarded_from=parted.forwarded_from,
        html=clean,
        files=_placed(body.files, clean),
        automatic=kind,
        never_answer=bool(report) or automatic.never_answer(headers, sender=mail.sender.address, return_path=mail.return_path),
        bounce=report,
        language=language.hint(parted.reply, content_language=headers.get("content-language"), accept_language=headers.get("accept-language")),
        reaction=_reaction(body.reaction),
    )  # fmt: skip
    return ParsedMail(**values)


def _addressed(headers: Headers, *, flags: tuple[str, ...]) -> ParsedMail:
    """The part of a mail that its header block tells."""
    senders = addresses.parse(headers.get("from"))
    declared = addresses.parse(headers.get("sender"))
    original = addresses.parse(headers.get("x-original-sender"))
    nobody = Address(addresses.shown(headers.text("from").partition("<")[0]), "")
    sender = senders[0] if senders else (declared[0] if declared else nobody)
    title = subject.tidy(headers.text("subject"))[:1_000]
    returned = headers.get("return-path") if headers.has("return-path") else None
    if len(senders) > 1:
        flags = (*flags, "From names more than one address")
    return ParsedMail(
        message_id=next(iter(head.ids(headers.get("message-id"))), ""),
        in_reply_to=head.ids(headers.get("in-reply-to"))[:20],
        references=head.ids(headers.get("references"))[-100:],
        date=head.date(headers.get("date")),
        sender=sender,
        sender_header=declared[0] if declared and declared[0].address != sender.address else None,
        original_sender=original[0] if original else None,
        reply_to=addresses.parse(headers.get("reply-to")),
        to=_recipients(headers, "to"),
        cc=_recipients(headers, "cc"),
        delivered_to=_routes(headers),
        return_path=None if returned is None else addresses.normal(returned.strip("<> ")),
        subject=title,
        subject_base=subject.base(title),
        subject_number=subject.number(title),
        loop_marks=tuple(value.strip()[:200] for value in headers.all("x-loop"))[:10],
        authentication=tuple(_verdict(value) for value in headers.all("authentication-results"))[:10],
        thread_index=headers.get("thread-index").strip()[:30],
        flags=flags,
    )


def _recipients(headers: Headers, name: str) -> tuple[Address, ...]:
    if headers.count(name) <= 1:
        return addresses.parse(headers.get(name))
    return addresses.parse(",".join(headers.all(name)))


def _routes(headers: Headers) -> tuple[str, ...]:
    found = (one.address for name in _ROUTES for value in headers.all(name) for one in addresses.parse(value))
    return tuple(dict.fromkeys(found))[:200]


def _verdict(value: str) -> tuple[str, str]:
    server, _, results = value.partition(";")
    return server.split()[0].lower() if server.split() else "", " ".join(results.split())[:1_000]


def _kind(headers: Headers, mail: ParsedMail) -> Automatic:
    content_type, options = head.parameters(headers.get("content-type"))
    return automatic.classify(
        headers, content_type=content_type, parameters=options, sender=mail.sender.address, subject=mail.subject
    )


def _bounce(headers: Headers, body: mime.Body, mail: ParsedMail, text: str) -> Bounce | None:
    content_type, options = head.parameters(headers.get("content-type"))
    kind = options.get("report-type", "").lower()
    if body.report and (content_type == "multipart/report" or kind):
        return bounce.from_report(kind or "delivery-status", body.report, body.original)
    if kind in {"delivery-status", "feedback-report"} and content_type == "multipart/report":
        found = bounce.from_text(headers, sender=mail.sender.address, subject=mail.subject, text=text, null_sender=True)
        return found or bounce.from_report(kind, "", body.original)
    if content_type == "multipart/report" and kind == "disposition-notification":
        return None
    return bounce.from_text(
        headers, sender=mail.sender.address, subject=mail.subject, text=text, null_sender=mail.return_path == ""
    )


def _placed(files: list[MailFile], markup: str) -> tuple[MailFile, ...]:
    """Files, inline only where the HTML really shows them: a picture nobody refers to is an attachment."""
    if not files:
        return ()
    shown = {html.plain(one).lower() for one in _CID.findall(markup)}
    return tuple(
        MailFile(
            name=one.name or file_name("", one.media_type, at), media_type=one.media_type, content=one.content,
            content_id=one.content_id, inline=bool(one.content_id) and one.content_id.lower() in shown,
        )
        for at, one in enumerate(files, 1)
    )  # fmt: skip


def _reaction(data: bytes) -> str:
    if not data:
        return ""
    try:
        told = json.loads(data)
    except ValueError:
        return ""
    emoji = told.get("emoji") if isinstance(told, dict) else None
    return emoji[:16] if isinstance(emoji, str) else ""
