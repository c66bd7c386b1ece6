"""Every sample mail says in its `X-Expect` header what must be found in it; the file's name is its trouble."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from services.intake.mail import headers
from services.intake.mail.parse import parse_mail
from services.intake.mail.parsed import Address, ParsedMail

FOLDER = Path(__file__).parents[2] / "fixtures" / "channels" / "email"
MAILS = sorted(FOLDER.glob("*.eml"))


def found(mail: ParsedMail, name: str):
    value = getattr(mail, name)
    if name == "files":
        return [one.name for one in value]
    if name == "sender":
        return [value.name, value.address]
    if name == "bounce" and value is not None:
        return [value.kind, value.original_message_id, [[one.address, one.outcome.value] for one in value.recipients]]
    if isinstance(value, Address):
        return value.address
    if isinstance(value, tuple):
        return [one.address if isinstance(one, Address) else one for one in value]
    return value


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.stem)
def test_the_sample_is_read_as_it_says(path):
    raw = path.read_bytes()
    expected = json.loads(headers.read(raw).get("x-expect"))

    mail = parse_mail(raw)

    for mark in expected.pop("html_has", []):
        assert mark in mail.html
    for mark in expected.pop("html_not", []):
        assert mark not in mail.html
    assert {name: found(mail, name) for name in expected} == expected


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.stem)
def test_the_sample_is_read_alike_with_the_line_ends_of_the_wire(path):
    raw = path.read_bytes()
    plain = parse_mail(raw.replace(b"\r", b"\n"))

    wired = parse_mail(raw.replace(b"\r", b"\n").replace(b"\n", b"\r\n"))

    assert found(wired, "files") == found(plain, "files")  # their bytes are those of the wire
    assert replace(wired, files=()) == replace(plain, files=())


def test_there_are_samples_of_every_kind():
    kinds = {path.stem.partition("-")[0] for path in MAILS}

    assert len(MAILS) >= 60
    assert {"quote", "charset", "header", "automatic", "bounce", "html", "attachment", "forward"} <= kinds
