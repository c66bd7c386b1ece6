"""The SMTP and LMTP listener over real sockets: 250 only after the commit, honest refusals, nothing smuggled."""

import smtplib
import socket
import threading

import pytest

from services.intake.listeners.smtp import ListenerOptions, SmtpListener, _Rate
from services.intake.mail import keys
from services.kit.config import HostPort
from services.kit.errors import Unavailable
from tests.intake.mail.maillib import MemoryDoor, wait_for

MAIL = b"From: mara@example.org\r\nMessage-ID: <a@example.org>\r\nSubject: x\r\n\r\nciao\r\n"


class Running:
    def __init__(self, **options):
        self.door = MemoryDoor()
        self.stop = threading.Event()
        self.listener = SmtpListener(self.door, ListenerOptions(where=HostPort("127.0.0.1", 0), **options))
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
def running():
    made = Running(max_bytes=200_000)
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


def test_lmtp_answers_once_per_recipient():
    running = Running(lmtp=True)
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


def test_a_port_that_is_taken_is_named():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        listener = SmtpListener(MemoryDoor(), ListenerOptions(where=HostPort("127.0.0.1", other.getsockname()[1])))

        with pytest.raises(Unavailable, match="ASCOLTO_SMTP"):
            listener.run(threading.Event())
