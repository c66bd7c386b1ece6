"""The SMTP and LMTP listener over real sockets: 250 only after the commit, honest refusals, nothing smuggled."""

import re
import smtplib
import socket
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.listeners.smtp import ListenerOptions, SmtpListener, _Rate
from services.intake.listeners.smtp_data import Text
from services.intake.mail import keys
from services.kit.config import HostPort
from services.kit.errors import Unavailable
from services.kit.spool import Spool, Spooled
from tests.intake.mail.maillib import MemoryDoor, wait_for

MAIL = b"From: mara@example.org\r\nMessage-ID: <a@example.org>\r\nSubject: x\r\n\r\nciao\r\n"


class Running:
    def __init__(self, folder, **options):
        self.door = MemoryDoor()
        self.stop = threading.Event()
        self.listener = SmtpListener(
            self.door, ListenerOptions(where=HostPort("127.0.0.1", 0), spool=Spool(folder), **options)
        )
        self.thread = threading.Thread(target=self.listener.run, args=(self.stop,))
        self.thread.start()
        assert self.listener.ready.wait(10)

    def client(self):
        return smtplib.SMTP("127.0.0.1", self.listener.port, timeout=20)

    def close(self):
        self.stop.set()
        self.thread.join(10)
        assert not self.thread.is_alive()


@pytest.fixture
def running(tmp_path):
    made = Running(tmp_path, max_bytes=200_000)
    yield made
    made.close()


def send(running, mail=MAIL, to="care@shop.example"):
    with running.client() as client:
        client.ehlo()
        client.mail("mara@example.org")
        client.rcpt(to)
        return client.data(mail)


def test_a_mail_is_stored_whole_with_its_envelope(running):
    code, _ = send(running, to="Care+Tkt@Shop.Example")

    stored = running.door.taken[0]
    assert code == 250
    assert stored.body.endswith(MAIL)
    assert stored.body.startswith(b"Return-Path: <mara@example.org>\r\nReceived: from ")
    assert stored.meta["rcpt_to"] == "Care+Tkt@Shop.Example"
    assert stored.transport_key == keys.transport_key(MAIL)


def test_the_answer_waits_for_the_commit(running):
    running.door.gate.clear()
    answers = []
    sender = threading.Thread(target=lambda: answers.append(send(running)[0]))
    sender.start()
    wait_for(lambda: running.door.entered == 1)
    sender.join(0.3)
    early = list(answers)

    running.door.gate.set()
    sender.join(10)

    assert early == []
    assert answers == [250]


@pytest.mark.parametrize(
    "address", ["care@shop.example", "CARE+x@SHOP.example", "bounces+dlv_1-abc@shop.example", "postmaster@shop.example"]
)
def test_our_addresses_are_accepted(running, address):
    assert send(running, to=address)[0] == 250


@pytest.mark.parametrize("address", ["nobody@shop.example", "care@other.example", "care%other.example@shop.example"])
def test_any_other_address_is_refused_for_good(running, address):
    with running.client() as client:
        client.ehlo()
        client.mail("mara@example.org")

        assert client.rcpt(address)[0] == 550


def test_a_full_disk_answers_452_and_a_defect_451_never_500(running):
    running.door.error = Unavailable("The disk is full.")
    full = send(running)[0]
    running.door.error = ValueError("a defect")
    defect = send(running)[0]
    running.door.error = None

    assert (full, defect, send(running)[0]) == (452, 451, 250)


def test_a_switched_off_account_says_so(running):
    running.door.refusal = "forbidden"

    code, answer = send(running)

    assert code == 550
    assert b"Open now: chat" in answer


def test_a_large_mail_is_refused_by_the_size_advertised(running):
    with running.client() as client:
        client.ehlo()
        assert client.esmtp_features["size"] == "200000"
        client.mail("mara@example.org")
        client.rcpt("care@shop.example")

        assert client.data(MAIL + b"x" * 250_000)[0] == 552
    assert running.door.taken == []


def test_a_line_longer_than_the_rfc_allows_is_taken(running):
    assert send(running, MAIL + b"y" * 150_000)[0] == 250


def test_a_large_mail_lies_in_a_file_as_it_came(tmp_path):
    running = Running(tmp_path)
    mail = MAIL + b"".join(b".%d\r\n" % at if at % 7 == 0 else b"%d\r\n" % at for at in range(300_000)) + b".\r\n..\r\n"
    try:
        code, _ = send(running, mail)
        stored = running.door.taken.pop()
    finally:
        running.close()

    assert code == 250
    assert isinstance(stored.body, Spooled)
    assert bytes(stored.body).partition(b"localhost")[2].partition(b"From:")[2] == mail.partition(b"From:")[2]
    assert stored.transport_key == keys.transport_key(mail)
    del stored
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_disk_that_takes_no_large_mail_answers_452_once_it_was_sent(tmp_path):
    (tmp_path / "spool").write_text("in the way of the folder")
    running = Running(tmp_path)
    try:
        with running.client() as client:
            client.ehlo()
            client.mail("mara@example.org")
            client.rcpt("care@shop.example")
            large = client.data(MAIL + b"y\r\n" * 1_000_000)[0]
            client.mail("mara@example.org")
            client.rcpt("care@shop.example")
            small = client.data(MAIL)[0]
    finally:
        running.close()

    assert (large, small) == (452, 250)
    assert [bytes(one.body).endswith(MAIL) for one in running.door.taken] == [True]


def test_commands_sent_along_with_the_text_are_answered(running):
    with (
        socket.create_connection(("127.0.0.1", running.listener.port), timeout=10) as wire,
        wire.makefile("rb") as file,
    ):
        file.readline()
        for line in (b"EHLO x", b"MAIL FROM:<a@example.org>", b"RCPT TO:<care@shop.example>", b"DATA"):
            wire.sendall(line + b"\r\n")
            while file.readline()[3:4] == b"-":
                pass
        wire.sendall(MAIL + b".\r\nMAIL FROM:<b@example.org>\r\nRCPT TO:<care@shop.example>\r\nDATA\r\n")
        answers = [file.readline()[:3] for _ in range(4)]
        wire.sendall(b".\r\nQUIT\r\n")
        answers += [file.readline()[:3] for _ in range(2)]

    assert answers == [b"250", b"250", b"250", b"354", b"250", b"221"]
    assert [one.meta["mail_from"] for one in running.door.taken] == ["a@example.org", "b@example.org"]


@given(
    st.lists(
        st.sampled_from([b"", b".", b"..", b".x", b"x", b"x.", b"\r", b"\n", b"\r.", b"\n.", b".\r", b"x\r"]),
        max_size=12,
    ),
    st.data(),
)
def test_a_text_is_the_same_however_it_comes_in_pieces(lines, data):  # fmt: skip
    text = b"".join(line + b"\r\n" for line in lines)
    wire = (
        b"".join(line + b"\r\n" for line in re.sub(rb"(?m)(\A|(?<=\r\n))\.", b"..", text).split(b"\r\n")[:-1])
        + b".\r\n"
    )
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(wire) - 3)), max_size=8)))
    reader = Text()
    out = b""

    for start, end in pairwise([0, *cuts, len(wire)]):
        assert not reader.ended
        out += reader.add(wire[start:end])

    assert reader.ended
    assert out == text


def test_a_mail_that_goes_in_circles_is_refused(running):
    code, _ = send(running, b"Received: from a by b\r\n" * 51 + MAIL)

    assert code == 554
    assert running.door.taken == []


@pytest.mark.parametrize("end", [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r"])
def test_a_second_mail_cannot_be_smuggled_behind_an_odd_line_end(running, end):
    with socket.create_connection(("127.0.0.1", running.listener.port), timeout=10) as wire:
        file = wire.makefile("rb")
        file.readline()
        for line in (b"EHLO x", b"MAIL FROM:<a@example.org>", b"RCPT TO:<care@shop.example>", b"DATA"):
            wire.sendall(line + b"\r\n")
            while (answer := file.readline())[3:4] == b"-":
                pass
        assert answer.startswith(b"354")
        wire.sendall(
            MAIL
            + b"one"
            + end
            + b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<care@shop.example>\r\nDATA\r\nForged\r\n.\r\n"
        )
        answer = file.readline()
        file.close()

    assert answer.startswith(b"250")
    assert [one.meta["mail_from"] for one in running.door.taken] == ["a@example.org"]


def test_parallel_sessions_share_commits(running):
    running.door.gate.clear()
    codes = []
    senders = [
        threading.Thread(target=lambda at=at: codes.append(send(running, MAIL.replace(b"<a@", b"<a%d@" % at))[0]))
        for at in range(20)
    ]
    for one in senders:
        one.start()
    try:
        wait_for(
            lambda: running.door.entered + len(running.listener.handler._waiting) == 20, what="twenty waiting sessions"
        )
    finally:
        running.door.gate.set()
    for one in senders:
        one.join(20)

    assert codes == [250] * 20
    assert len({one.transport_key for one in running.door.taken}) == 20
    assert running.door.calls < 12


def test_an_outside_address_is_limited_per_minute():
    rate = _Rate(per_minute=2)

    assert [rate.allows("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert rate.allows("192.0.2.2")


def test_lmtp_answers_once_per_recipient(tmp_path):
    running = Running(tmp_path, lmtp=True)
    try:
        with (
            socket.create_connection(("127.0.0.1", running.listener.port), timeout=10) as wire,
            wire.makefile("rb") as file,
        ):
            file.readline()
            for line in (
                b"LHLO x",
                b"MAIL FROM:<a@example.org>",
                b"RCPT TO:<care@shop.example>",
                b"RCPT TO:<care+b@shop.example>",
                b"DATA",
            ):
                wire.sendall(line + b"\r\n")
                while file.readline()[3:4] == b"-":
                    pass
            wire.sendall(MAIL + b".\r\n")
            answers = [file.readline()[:3], file.readline()[:3]]
    finally:
        running.close()

    assert answers == [b"250", b"250"]
    assert len(running.door.taken) == 1


def test_a_port_that_is_taken_is_named(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        where = HostPort("127.0.0.1", other.getsockname()[1])
        listener = SmtpListener(MemoryDoor(), ListenerOptions(where=where, spool=Spool(tmp_path)))

        with pytest.raises(Unavailable, match="ASCOLTO_SMTP"):
            listener.run(threading.Event())
