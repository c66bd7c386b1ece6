"""A mail whose large files were taken out first says the same as the mail read whole; what does not fit stays in."""

import base64
import os
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.mail import keys, lift
from services.intake.mail.parse import parse_mail
from services.intake.mail.parsed import ParsedMail, Unparsable
from services.intake.parser_process import Job, MailParser, _parsed
from services.kit.spool import PIECE_BYTES, Spool, Spooled
from tests.intake.mail.test_properties import MAILS

HEAD = b"From: Mara <mara@example.org>\r\nSubject: foto\r\nMessage-ID: <b@example.org>\r\nMIME-Version: 1.0\r\n"
MIB = 1024 * 1024


def part(
    data: bytes, *, kind: bytes = b"image/png", width: int = 76, ends: bytes = b"\r\n", junk: bytes = b""
) -> bytes:
    text = base64.b64encode(data)
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    lines.insert(len(lines) // 2, junk) if junk else None
    head = b"Content-Type: " + kind + b"; name=f\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head.replace(b"\r\n", ends) + b"".join(line + ends for line in lines)


def mixed(*parts: bytes, ends: bytes = b"\r\n", boundary: bytes = b"b") -> bytes:
    head = b"Content-Type: multipart/mixed; boundary=" + boundary + b"\r\n\r\n--" + boundary
    text = b"\r\nContent-Type: text/plain\r\n\r\nciao\r\n--" + boundary
    middle = b"".join(ends + one + b"--" + boundary for one in parts)
    return (head + text).replace(b"\r\n", ends) + middle + b"--" + ends


def spooled(folder: Path, raw: bytes) -> Spooled:
    scratch = Spool(folder).scratch()
    scratch.path.write_bytes(raw)
    return Spooled(str(scratch.path), 0, len(raw), scratch)


def lifted(folder: Path, raw: bytes, least: int) -> tuple[ParsedMail | Unparsable, lift.Lifted]:
    scratch = Spool(folder).scratch()
    with scratch.path.open("wb") as sink:
        taken = lift.lift(spooled(folder, raw), sink, least=least)
        try:
            mail = parse_mail(taken.raw, taken)
        except Unparsable as error:
            return error, taken
    return replace(mail, files=tuple(replace(one, content=bytes(one.content)) for one in mail.files)), taken


def whole(raw: bytes) -> ParsedMail | Unparsable:
    try:
        return parse_mail(raw)
    except Unparsable as error:
        return error


def same(one: ParsedMail | Unparsable, other: ParsedMail | Unparsable) -> bool:
    return one == other or (
        isinstance(one, Unparsable) and isinstance(other, Unparsable) and one.reason == other.reason
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("spool")


@pytest.mark.parametrize("raw", MAILS)
def test_every_mail_we_know_says_the_same(folder, raw):
    mail, taken = lifted(folder, raw, least=16)

    assert taken.missed or same(mail, whole(raw))


BIG = random.Random(1).randbytes(700_001)
SHAPES = {
    "one file": HEAD + mixed(part(BIG)),
    "three files": HEAD + mixed(part(BIG), part(BIG[:200_000]), part(b"small")),
    "bare line feeds": (HEAD + b"").replace(b"\r\n", b"\n") + mixed(part(BIG, ends=b"\n"), ends=b"\n"),
    "short lines": HEAD + mixed(part(BIG, width=60)),
    "one line": HEAD + mixed(part(BIG, width=2_000_000)),
    "a mail that is one file": HEAD + part(BIG),
    "a forwarded mail": HEAD + mixed(b"Content-Type: message/rfc822\r\n\r\n" + HEAD + mixed(part(BIG), boundary=b"inner") + b"\r\n"),
    "a text": HEAD + mixed(part(b"riga di prova\n" * 20_000, kind=b"text/plain; charset=utf-8")),
    "a page that is shown": HEAD + mixed(part(b"<p>riga di prova</p>\n" * 20_000, kind=b"text/html")),
    "a page too large to show": HEAD + mixed(part(b"<p>riga</p>\n" * 300_000, kind=b"text/html")),
    "a footer behind the file": HEAD + mixed(part(BIG) + b"\r\nSent by a list. See https://example.org/\r\n"),
    "two pieces with their own padding": HEAD + mixed(part(BIG[:-1]) + base64.encodebytes(BIG[:100])),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_a_large_file_is_taken_out_and_put_back(folder, shape):
    raw = SHAPES[shape]

    mail, taken = lifted(folder, raw, least=lift.LEAST_BYTES)

    assert taken.runs
    assert not taken.missed
    assert len(taken.raw) < len(raw) / 2
    assert mail == whole(raw)


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + mixed(part(BIG, width=75)),  # lines of no multiple of four
        HEAD + mixed(b"Content-Type: image/png\r\n\r\n" + base64.encodebytes(BIG)),  # nothing says base64
        HEAD + b"X-Note: base64\r\n" + b"A" * 60_000 + b"\r\n\r\nciao",  # a field, not a body
    ],
    ids=["odd lines", "not said", "header"],
)
def test_what_does_not_fit_stays_in(folder, raw):
    mail, taken = lifted(folder, raw, least=lift.LEAST_BYTES // 2)

    assert taken.runs == []
    assert taken.raw == raw
    assert same(mail, whole(raw))


@pytest.mark.parametrize("junk", [b"!!!!", b"!" * 76])
def test_lines_behind_junk_stay_in_and_the_file_is_the_same(folder, junk):
    raw = HEAD + mixed(part(BIG, junk=junk))

    mail, taken = lifted(folder, raw, least=lift.LEAST_BYTES)

    assert taken.runs
    assert "a part was damaged" in mail.flags
    assert mail == whole(raw)


def test_lines_are_passed_over_in_whole_lines_only(folder):
    lines = base64.encodebytes(BIG).splitlines(keepends=True)
    many = PIECE_BYTES // len(lines[0])
    lines[many // 2] = lines[many // 2][:-5] + b"\n"  # from here on what is read at once ends in the middle of a line,
    lines[many + 1] = lines[many + 1][:40] + b"!" + lines[many + 1][40:]  # of this one
    raw = HEAD.replace(b"\r\n", b"\n") + mixed(b"".join([part(b"", ends=b"\n"), *lines]), ends=b"\n")

    mail, taken = lifted(folder, raw, least=lift.LEAST_BYTES)

    assert taken.runs
    assert mail == whole(raw)


def test_a_mark_that_nobody_met_is_told_and_the_mail_read_whole(tmp_path):
    hidden = b"\r\n--b--\r\n\r\n--b\r\n" + part(BIG)  # behind the end of the mail: no parser looks there
    raw = HEAD + mixed(part(b"x")).removesuffix(b"--b--\r\n") + hidden

    _, taken = lifted(tmp_path, raw, least=lift.LEAST_BYTES)
    mail = _parsed(Job(spooled(tmp_path, raw), str(tmp_path / "files")))

    assert taken.missed
    assert mail.text == "ciao"


@given(
    st.lists(
        st.sampled_from(
            [
                b"AAAA",
                b"BBBBCCCC",
                b"DDD",
                b"E===",
                b"",
                b"--b",
                b"--b--",
                b"--c",
                b"-",
                b"F F F",
                b"Content-Transfer-Encoding: base64",
                b"Content-Type: message/rfc822",
                b"Content-Type: multipart/mixed; boundary=c",
                b"Content-Type: text/html",
            ]
        ),
        max_size=40,
    ),
    st.integers(1, 24),
)
@settings(max_examples=400, deadline=None)
def test_whatever_the_lines_the_mail_is_the_same_or_a_mark_is_missed(folder, lines, least):  # fmt: skip
    raw = HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + b"\r\n".join(lines)

    mail, taken = lifted(folder, raw, least=least)

    assert taken.missed or same(mail, whole(raw))


@given(st.sampled_from(MAILS), st.integers(0, 600), st.booleans())
@settings(max_examples=100, deadline=None)
def test_the_key_of_a_mail_is_the_same_wherever_it_lies(folder, raw, more, feeds):
    body = (
        raw.replace(b"\r\n", b"\n").replace(b"\n", b"\n" if feeds else b"\r\n") + b"x\r\n" * more * 1_000 + b"\r\n" * 3
    )

    assert keys.transport_key(spooled(folder, body)) == keys.transport_key(body)
    assert keys.hops(spooled(folder, body)) == keys.hops(body)


def test_neither_side_holds_a_mail_that_lies_in_a_file(tmp_path):
    parser = MailParser(Spool(tmp_path), memory_bytes=24 * MIB)
    data = os.urandom(24 * MIB)

    mail = parser.parse(spooled(tmp_path, HEAD + mixed(part(data), part(data[:100_000]))))
    parser.close()

    assert [type(one.content) for one in mail.files] == [Spooled, Spooled]
    assert bytes(mail.files[0].content) == data
    assert bytes(mail.files[1].content) == data[:100_000]
    del mail
    assert list((tmp_path / "spool").iterdir()) == []
