"""Answers on the wire: threaded, marked, and never with a header, recipient or part that a field smuggled in."""

from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.mail.compose import Letter, compose, envelope_recipients, thread
from services.intake.mail.parse import parse_mail
from services.intake.mail.parsed import Address, MailFile
from services.kit.errors import Invalid

NOW = datetime(2026, 11, 20, 8, 15, 27, tzinfo=UTC)
HOSTILE = st.text(max_size=60) | st.sampled_from(
    [
        "a\r\nBcc: v@example.org",
        "a\nX: y",
        "a\rb",
        "\x00",
        "=?utf-8?Q?x=0D=0ABcc:v?=",
        "a\r\n\r\n<html>",
        '"; filename="x',
        "\u2028Bcc: x",
        "é" * 40,
        "\ud800",
    ]
)
ALLOWED = {"from", "to", "cc", "reply-to", "subject", "date", "message-id", "in-reply-to", "references", "content-language", "mime-version", "content-type", "x-loop"}  # fmt: skip


def letter(**fields) -> Letter:
    values = {
        "sender": Address("Negozio Esempio", "care@shop.example"),
        "to": (Address("Mara", "mara@example.org"),),
        "subject": "Re: [#7] Pacco",
        "text": "Buongiorno",
        "message_id": "dlv_1.tkt_1.x@shop.example",
        "date": NOW,
    }
    return Letter(**{**values, **fields})


def fields_of(raw: bytes) -> list[str]:
    head = raw.split(b"\r\n\r\n", 1)[0]
    assert b"\r" not in head.replace(b"\r\n", b"")
    assert b"\n" not in head.replace(b"\r\n", b"")
    return [line.split(b":")[0].decode().lower() for line in head.split(b"\r\n") if line[:1] not in b" \t"]


@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_no_field_adds_a_header_a_recipient_or_a_part(name, subject, parent, mark, file_name, text):
    one = letter(
        sender=Address(name, "care@shop.example"),
        to=(Address(name, "mara@example.org"),),
        cc=(Address(subject, "c@example.org"),),
        subject=subject,
        in_reply_to=parent,
        references=(parent, name),
        loop_mark=mark,
        language=name,
        text=text,
        files=(MailFile(name=file_name, media_type=subject, content=b"x"),),
    )

    raw = compose(one)

    names = fields_of(raw)
    assert set(names) <= ALLOWED
    assert len(names) == len(set(names))
    assert envelope_recipients(one) == ["mara@example.org", "c@example.org"]
    kinds = [part.get_content_type() for part in message_from_bytes(raw).walk()]
    assert kinds[:4] == ["multipart/mixed", "multipart/alternative", "text/plain", "text/html"]
    assert len(kinds) == 5
    assert max(map(len, raw.split(b"\r\n"))) <= 998


@pytest.mark.parametrize("address", ["a@b.example\r\nBcc: v@example.org", "a@b.example, v@example.org", "a b@c.example", "<a@b.example>", "a@b.example\x00", "", "nobody", "a@b@c.example"])  # fmt: skip
@pytest.mark.parametrize("place", ["to", "cc", "reply_to", "from"])
def test_an_address_that_is_not_one_address_is_refused(address, place):
    one = {"to": {"to": (Address("", address),)}, "cc": {"cc": (Address("", address),)}, "reply_to": {"reply_to": address}, "from": {"sender": Address("", address)}}[place]  # fmt: skip
    if place == "reply_to" and not address:
        return

    with pytest.raises(Invalid) as caught:
        compose(letter(**one))

    assert caught.value.field == place


def test_a_composed_mail_reads_as_it_was_meant():
    raw = compose(
        letter(
            sender=Address('Nicolò "Nico", Però', "care@shop.example"),
            subject="Re: [#7] Perché il pacco non è ancora arrivato? Una domanda molto lunga che va piegata su più righe",
            text="Perché\n.\nriga che comincia con punto\n" + "x" * 2000,
            in_reply_to="c@example.org",
            references=("a@example.org", "b@example.org"),
            files=(
                MailFile(
                    name="fattura €  " + "lunga " * 30 + ".pdf", media_type="application/pdf", content=b"%PDF\n" * 50
                ),
            ),
        )
    )

    mail = parse_mail(raw)

    assert mail.sender == Address('Nicolò "Nico", Però', "care@shop.example")
    assert mail.subject.startswith("Re: [#7] Perché il pacco")
    assert mail.subject_number == 7
    assert mail.references == ("a@example.org", "b@example.org", "c@example.org")
    assert mail.in_reply_to == ("c@example.org",)
    assert mail.text == "Perché\n.\nriga che comincia con punto\n" + "x" * 2000
    assert mail.files[0].content == b"%PDF\n" * 50
    assert mail.files[0].name.startswith("fattura €")
    assert mail.files[0].name.endswith(".pdf")


def test_a_machine_says_that_it_is_one():
    told = message_from_bytes(compose(letter(automatic=True, loop_mark="ascolto-1")), policy=policy.default)

    assert told["Auto-Submitted"] == "auto-replied"
    assert told["X-Auto-Response-Suppress"] == "All"
    assert told["Precedence"] == "bulk"
    assert told["X-Loop"] == "ascolto-1"


def test_a_person_does_not():
    assert "Auto-Submitted" not in message_from_bytes(compose(letter()))


def test_long_threads_keep_the_first_and_the_last_twenty():
    line = thread([f"m{at}@x.example" for at in range(100)], "m99@x.example")

    ids = line.split()
    assert ids[0] == "<m0@x.example>"
    assert ids[1:] == [f"<m{at}@x.example>" for at in range(80, 100)]


def test_a_foreign_domain_travels_in_ascii():
    assert envelope_recipients(letter(to=(Address("", "mara@bücher.example"),))) == ["mara@xn--bcher-kva.example"]
