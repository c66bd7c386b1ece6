"""Mail that would take more than its share: each within its budget, its outline kept, other mail not slowed."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from services.intake.mail import limits
from services.intake.mail.parse import parse_mail
from services.intake.mail.parsed import ParsedMail, Unparsable
from services.intake.parser_process import TOO_COSTLY, MailParser, TooSlow
from services.kit.spool import Spool

HEAD = b"From: Mara <mara@example.org>\nSubject: bomba\nMessage-ID: <b@example.org>\n"
PLAIN = HEAD + b"\nciao, tutto bene"


@pytest.fixture(scope="module")
def parser(tmp_path_factory):
    made = MailParser(Spool(tmp_path_factory.mktemp("spool")))
    made.parse(PLAIN)
    yield made
    made.close()


def nested(levels: int) -> bytes:
    return (
        HEAD
        + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (at, at) for at in range(levels))
        + b"\n\nx"
    )


BOMBS = {
    "500 levels": (nested(500), "nested"),
    "5,000 levels": (nested(5_000), "nested"),
    "100,000 parts": (
        HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 100_000 + b"--b--\n",
        "parts",
    ),
    "a chain of messages": (HEAD + b"Content-Type: message/rfc822\n\n" * 3_000 + b"\n\nx", "nested"),
    "40,000 recipients": (HEAD + b"To: " + b"a@b.example, " * 40_000 + b"\n\nx", "headers are larger"),
    "2,000 header lines": (HEAD + b"X-Filler: a\n" * 2_000 + b"\nx", "header lines"),
    "an endless header line": (HEAD + b"X-Filler: " + b"a" * 100_000 + b"\n\nx", "header line"),
    "no mail at all": (b"\x00\x01\x02 nothing here", "not a mail"),
    "nothing": (b"", "empty"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_with_its_reason_in_time(parser, name):
    raw, reason = BOMBS[name]
    began = time.monotonic()

    with pytest.raises(Unparsable) as caught:
        parser.parse(raw)

    assert reason in caught.value.reason
    assert time.monotonic() - began < 10


def test_four_thousand_encoded_words_are_read(parser):
    subject = b" ".join(b"=?utf-8?B?w6g=?=" for _ in range(3_000))

    mail = parser.parse(HEAD.replace(b"bomba", subject) + b"\nx")

    assert mail.subject.startswith("èèè")


@pytest.mark.parametrize(
    "text",
    ["> " * 200_000, "On " * 200_000 + "wrote:", "\n".join(["On 1/1/2026 a@b.example wrote:"] * 15_000), "-" * 500_000, "From: x\n" * 19_000, "Am 1.1.2026 schrieb " * 5_000 + ":"],
    ids=["marks", "attributions", "many attributions", "dashes", "headers", "long attribution"],
)  # fmt: skip
def test_quotes_are_separated_in_linear_time(text):
    began = time.process_time()

    mail = parse_mail(HEAD + b"\n" + text.encode())

    assert mail.reply
    assert time.process_time() - began < 3  # 10 ms are usual; a quadratic pattern takes minutes


def test_a_mail_that_burns_its_time_is_given_up_and_its_neighbours_are_parsed(parser):
    costly = HEAD + b"Content-Type: text/html\n\n" + b"<a><b><i><div>" * 70_000

    first, bomb, last = parser.parse_many([PLAIN, costly, PLAIN])

    assert isinstance(first, ParsedMail)
    assert isinstance(bomb, Unparsable)
    assert bomb.reason == TOO_COSTLY
    assert isinstance(last, ParsedMail)


def test_a_mail_that_wants_all_memory_is_given_up(tmp_path):
    small = MailParser(Spool(tmp_path), memory_bytes=40 * 1024 * 1024)
    big = (
        HEAD
        + b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: application/pdf\n\n"
        + b"x" * 39_000_000
        + b"\n--b--\n"
    )

    outcome, plain = small.parse_many([big, PLAIN])
    small.close()

    assert isinstance(outcome, Unparsable)
    assert isinstance(plain, ParsedMail)


def test_ordinary_mail_does_not_wait_for_a_suspect(parser):
    costly = HEAD + b"Content-Type: text/html\n\n" + b"<a><b><i><div>" * 140_000
    assert len(costly) > 1024 * 1024
    bomb = threading.Thread(target=lambda: parser.parse_many([costly]))
    bomb.start()

    began = time.monotonic()
    for _ in range(20):
        parser.parse(PLAIN)
    waited = time.monotonic() - began
    still_busy = bomb.is_alive()
    bomb.join()

    assert still_busy
    assert waited < 1.5


def test_a_caller_whose_time_is_up_is_told_so(tmp_path):
    slow = MailParser(Spool(tmp_path), cpu_s=20.0)
    slow.parse(PLAIN)
    costly = HEAD + b"Content-Type: text/html\n\n" + b"<a><b><i><div>" * 70_000

    with pytest.raises(TooSlow):
        slow.parse(costly, budget_s=0.2)

    assert slow.parse(PLAIN).subject == "bomba"
    slow.close()


def test_a_killed_child_is_replaced(parser):
    process = parser._ordinary._process
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    assert parser.parse(PLAIN).reply == "ciao, tutto bene"


def test_the_child_ends_when_its_parent_is_killed():
    code = "import sys, pathlib; from services.kit.spool import Spool; from services.intake.parser_process import MailParser; p = MailParser(Spool(pathlib.Path())); p.parse(b'From: a@b.example\\n\\nx'); print(p._ordinary._process.pid, flush=True); sys.stdin.read()"
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    child = int(parent.stdout.readline())

    parent.kill()
    parent.wait()

    parent.stdin.close()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _alive(child):
        threading.Event().wait(0.02)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_mail_over_the_size_limit_is_refused_by_the_parser():
    with pytest.raises(Unparsable, match="larger"):
        parse_mail(HEAD + b"\n" + b"x" * (limits.RAW_BYTES + 1))


def test_five_hundred_attachments_are_kept_and_a_zip_is_never_opened(parser):
    part = b"--b\nContent-Type: application/zip; name=a.zip\nContent-Transfer-Encoding: base64\n\nUEsDBA==\n"

    mail = parser.parse(HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" + part * 501 + b"--b--\n")

    assert len(mail.files) == 500
    assert {one.content for one in mail.files} == {b"PK\x03\x04"}
    assert "further attachments are in the raw file only" in mail.flags
