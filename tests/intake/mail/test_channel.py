"""The channel against a real SMTP server: each outcome of a sending, and each mail as intake's core sees it."""

import socket
import threading
from contextlib import contextmanager
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from services.intake.channels.email.submit import relay_of_url
from services.intake.ports import Act, Attachment, Automatic, Identity, Notice, NotSent, OverBudget, Uncertain
from services.kit.errors import Invalid
from tests.intake.mail.maillib import DELIVERY, TICKET, account, channel, outbound, raw

MAIL = "From: Mara <mara@example.org>\nTo: care@shop.example\nSubject: Pacco\nMessage-ID: <m@example.org>\n{}\nciao\n"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Sink:
    """A server that keeps what it accepts and answers as told."""

    def __init__(self):
        self.mails = []
        self.rcpt = {}
        self.data = "250 OK"

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802 (aiosmtpd's name)
        if answer := self.rcpt.get(address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 (aiosmtpd's name)
        if self.data.startswith("250"):
            self.mails.append(envelope)
        return self.data


@pytest.fixture
def sink():
    made = Sink()
    made.port = free_port()
    controller = Controller(made, hostname="127.0.0.1", port=made.port)
    controller.start()
    made.channel = channel(smtp_out=f"smtp://127.0.0.1:{made.port}")
    yield made
    made.channel.close()
    controller.stop()


@pytest.fixture(scope="module")
def mail():
    made = channel()
    yield made
    made.close()


def read(mail, fields="", meta=None, **settings):
    (found,) = mail.parse(raw(MAIL.format(fields).encode(), **(meta or {})), account(**settings), budget_s=10)
    return found


def test_an_answer_arrives_and_its_answer_comes_back_to_the_ticket(sink):
    receipt = sink.channel.send(
        outbound(in_reply_to="m@example.org", attachments=(Attachment("è.txt", "text/plain", b"file"),)), account()
    )

    envelope = sink.mails[0]
    (seen,) = sink.channel.parse(raw(envelope.content), account(), budget_s=10)
    answer = f"From: mara@example.org\nTo: {envelope.content.decode().partition('Reply-To: ')[2].splitlines()[0]}\nMessage-ID: <n@example.org>\n\nGrazie"
    (back,) = sink.channel.parse(raw(answer.encode()), account(), budget_s=10)
    assert envelope.rcpt_tos == ["mara@example.org"]
    assert envelope.mail_from.startswith(f"bounces+{DELIVERY}-")
    assert seen.subject == "Re: [#7] Pacco"
    assert seen.message_id == receipt.external_id
    assert seen.automatic is Automatic.OWN
    assert seen.ancestors == ("m@example.org",)
    assert [one.data for one in seen.attachments] == [b"file"]
    assert back.token_ticket_id == TICKET
    assert back.automatic is Automatic.PERSON


def test_an_answer_in_html_keeps_the_brands_signature(sink):
    sink.channel.send(outbound(html="<p>Buongiorno <b>Mara</b></p>", signature="Bottega & figli"), account())

    body = message_from_bytes(sink.mails[0].content, policy=policy.default)
    assert body.get_body(("plain",)).get_content().splitlines()[-2:] == ["-- ", "Bottega & figli"]
    assert body.get_body(("html",)).get_content().strip() == (
        "<p>Buongiorno <b>Mara</b></p><p>-- <br>Bottega &amp; figli</p>"
    )


def test_a_notice_to_the_staff_leaves_by_the_installations_relay_and_no_bounce_comes_back(sink):
    notice = Notice(
        id="rst_1", to="anna@staff.example", subject="Nuova\r\nBcc: v@example.org", text="https://desk.example/x"
    )
    theirs = account(smtp_host="127.0.0.1", smtp_port="1", smtp_tls="none")  # set by who may not read the mail

    sink.channel.notify(notice, theirs)

    (envelope,) = sink.mails
    body = message_from_bytes(envelope.content, policy=policy.default)
    assert (envelope.mail_from, envelope.rcpt_tos) == ("<>", ["anna@staff.example"])
    assert body["From"].addresses[0].addr_spec == theirs.address
    assert body["Message-ID"] == f"<rst_1@{theirs.address.partition('@')[2]}>"
    assert body["Bcc"] is None
    assert body["Auto-Submitted"] != "no"
    assert body.get_body(("plain",)).get_content().strip() == "https://desk.example/x"


def test_an_accounts_own_server_is_no_way_out_for_notices(mail, sink):
    theirs = account(smtp_host="127.0.0.1", smtp_port=str(sink.port), smtp_tls="none")

    assert not mail.notifies(theirs)
    assert sink.channel.notifies(account())
    with pytest.raises(NotSent) as refused:
        mail.notify(Notice(id="rst_1", to="anna@staff.example", subject="x", text="y"), theirs)
    assert not refused.value.retry
    assert sink.mails == []


def test_every_attempt_carries_the_same_message_id(sink):
    first = sink.channel.send(outbound(), account())
    second = sink.channel.send(outbound(attempt=2), account())

    assert first.external_id == second.external_id


def test_hostile_fields_add_no_header_and_no_recipient_on_the_wire(sink):
    sink.channel.send(
        outbound(
            subject="x\r\nBcc: v@example.org",
            to=(Identity("email", "mara@example.org", "M\r\nRCPT TO:<v@example.org>"),),
            text="uno\r\n.\r\nMAIL FROM:<x@example.org>\r\n",
            in_reply_to="a@b.example>\r\nX-Evil: 1",
            author_name="A\nB",
            language="it\r\nX-Evil: 1",
            attachments=(Attachment('a"\r\nX-Evil: 1.txt', "text/plain\r\nX-Evil: 1", b"."),),
        ),
        account(from_name="Shop\r\nX-Evil: 1", agent_names="1"),
    )

    head = sink.mails[0].content.split(b"\r\n\r\n")[0].lower()
    assert [one.rcpt_tos for one in sink.mails] == [["mara@example.org"]]
    assert b"\nbcc" not in head
    assert b"\nx-evil" not in sink.mails[0].content.lower()


@pytest.mark.parametrize(
    ("answer", "retry"), [("451 4.3.0 later", True), ("421 4.3.2 bye", True), ("554 5.7.1 no", False)]
)
def test_a_refusal_of_the_mail_is_told_by_its_class(sink, answer, retry):
    sink.data = answer

    with pytest.raises(NotSent) as caught:
        sink.channel.send(outbound(), account())

    assert caught.value.retry is retry
    assert answer[:3] in caught.value.message


def test_an_address_that_is_gone_is_named(sink):
    sink.rcpt["mara@example.org"] = "550 5.1.1 user unknown mara@example.org"

    with pytest.raises(NotSent) as caught:
        sink.channel.send(outbound(), account())

    assert (caught.value.retry, caught.value.recipients_gone) == (False, ("mara@example.org",))
    assert "mara@" not in caught.value.message


def test_one_refused_recipient_does_not_stop_the_others(sink):
    sink.rcpt["c@example.org"] = "550 5.1.1 user unknown"

    receipt = sink.channel.send(outbound(cc=(Identity("email", "c@example.org"),)), account())

    assert receipt.refused == ("c@example.org",)
    assert sink.mails[0].rcpt_tos == ["mara@example.org"]


@contextmanager
def cutting_server(*, after_dot: bool):
    """A server that hangs up in the middle of the mail, or after its end without an answer."""
    listener = socket.create_server(("127.0.0.1", 0))
    got = []

    def serve():
        wire, _ = listener.accept()
        with wire, wire.makefile("rb") as file:
            wire.sendall(b"220 x\r\n")
            while line := file.readline():
                if line.upper().startswith(b"DATA"):
                    wire.sendall(b"354 go\r\n")
                    break
                wire.sendall(b"250 ok\r\n")
            if after_dot:
                while (line := file.readline()) not in {b".\r\n", b""}:
                    got.append(line)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], got
    finally:
        thread.join(10)
        listener.close()


def test_a_connection_lost_before_the_end_is_tried_again():
    with cutting_server(after_dot=False) as (port, _got):
        big = outbound(attachments=(Attachment("a.bin", "application/pdf", b"x" * 8_000_000),))
        made = channel(smtp_out=f"smtp://127.0.0.1:{port}")

        with pytest.raises(NotSent) as caught:
            made.send(big, account())

    assert caught.value.retry is True


def test_a_connection_lost_after_the_end_is_unknown():
    with cutting_server(after_dot=True) as (port, got):
        made = channel(smtp_out=f"smtp://127.0.0.1:{port}")

        with pytest.raises(Uncertain):
            made.send(outbound(), account())

    assert any(line.startswith(b"Message-ID:") for line in got)


def test_a_server_that_is_away_is_tried_again():
    made = channel(smtp_out="smtp://127.0.0.1:1")

    with pytest.raises(NotSent) as caught:
        made.send(outbound(), account())

    assert caught.value.retry is True
    assert not made.test(account())[0].ok


def test_without_a_server_the_agent_is_told_what_to_set():
    with pytest.raises(NotSent, match="ASCOLTO_SMTP_OUT") as caught:
        channel().send(outbound(), account())

    assert (caught.value.retry, caught.value.account) == (False, True)


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # the test server has no certificate
def test_the_account_signs_in_and_a_wrong_password_is_the_accounts_fault():
    def check(_server, _session, _envelope, _mechanism, data):
        return AuthResult(success=data.password == b"right", handled=False)

    sink = Sink()
    port = free_port()
    controller = Controller(
        sink, hostname="127.0.0.1", port=port, authenticator=check, auth_required=True, auth_require_tls=False
    )
    controller.start()
    here = {"smtp_host": "127.0.0.1", "smtp_port": str(port), "smtp_tls": "none", "smtp_user": "care"}
    try:
        channel().send(outbound(), account(**here, smtp_password="right"))
        with pytest.raises(NotSent) as caught:
            channel().send(outbound(), account(**here, smtp_password="wrong"))
    finally:
        controller.stop()

    assert len(sink.mails) == 1
    assert caught.value.account is True


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://u%40x:p%3Aw@mail.example:587?starttls=1", ("mail.example", 587, "starttls", "u@x", "p:w")),
        ("smtps://mail.example", ("mail.example", 465, "implicit", "", "")),
        ("smtp://mail.example", ("mail.example", 25, "none", "", "")),
    ],
)
def test_the_relay_is_read_from_its_url(url, expected):
    relay = relay_of_url(url)

    assert (relay.host, relay.port, relay.tls, relay.user, relay.password) == expected
    assert "p:w" not in repr(relay)


@pytest.mark.parametrize("url", ["http://mail.example", "smtp://", "smtp://mail.example:abc"])
def test_a_wrong_url_is_refused(url):
    with pytest.raises(Invalid):
        relay_of_url(url)


def test_what_cannot_be_read_is_taken_in_by_its_outline(mail):
    body = MAIL.format("X-F: " + "a" * 70_000 + "\n").encode()

    (found,) = mail.parse(raw(body), account(), budget_s=10)

    assert "header line" in found.not_rendered
    assert (found.sender.value, found.subject, found.message_id) == ("mara@example.org", "Pacco", "m@example.org")
    assert found.automatic is Automatic.PERSON


def test_a_mail_that_takes_too_long_for_the_caller_is_over_budget(mail):
    costly = MAIL.format("Content-Type: text/html\n").encode() + b"<a><b><i><div>" * 70_000

    with pytest.raises(OverBudget):
        mail.parse(raw(costly), account(), budget_s=0.2)


def test_a_bounce_is_applied_to_its_delivery_by_the_address_it_came_to(mail):
    sender, *_rest = mail.compose(outbound(), account())
    body = "From: MAILER-DAEMON@mx.example\nSubject: failure notice\n\nHi. This is the qmail-send program.\n<mara@example.org>: (#5.1.1)\n"

    (found,) = mail.parse(raw(body.encode(), rcpt_to=sender, mail_from=""), account(), budget_s=10)

    assert found.act is Act.BOUNCE
    assert (found.bounce.delivery_id, found.bounce.hard, found.bounce.recipients) == (
        DELIVERY,
        True,
        ("mara@example.org",),
    )


def test_an_absence_note_to_the_bounce_address_is_never_answered(mail):
    sender, *_rest = mail.compose(outbound(), account())

    assert read(mail, meta={"rcpt_to": sender}).automatic is Automatic.SYSTEM
    assert read(mail, "Auto-Submitted: auto-replied\n", {"rcpt_to": sender}).automatic is Automatic.OUT_OF_OFFICE


def test_two_copies_in_two_mailboxes_are_one_contact(mail):
    first, second = read(mail), read(mail, "Received: from x by y\nDelivered-To: other@shop.example\n")

    assert first.event_key == second.event_key


def test_only_the_topmost_verdict_of_our_own_server_counts(mail):
    ours = "Authentication-Results: mx.shop.example; spf=pass; dmarc=fail header.from=example.org\n"
    forged = "Authentication-Results: mx.shop.example; dmarc=pass\n"

    assert read(mail, ours, authserv_id="mx.shop.example").sender_verdict == "spf=pass dmarc=fail"
    assert read(mail, ours + forged, authserv_id="mx.shop.example").sender.verified is False
    assert (
        read(
            mail, "Authentication-Results: evil.example; dmarc=pass\n" + forged, authserv_id="mx.shop.example"
        ).sender.verified
        is False
    )
    assert read(mail, forged).sender_verdict == ""


def test_a_shop_form_writes_for_the_customer_in_reply_to(mail):
    body = (
        MAIL.format("Reply-To: Luca <luca@example.org>\n").replace("mara@example.org", "noreply@shop.example").encode()
    )

    (plain,) = mail.parse(raw(body), account(), budget_s=10)
    (form,) = mail.parse(raw(body), account(reply_to_is_sender="1"), budget_s=10)

    assert (plain.sender.value, plain.reply_to) == ("noreply@shop.example", "luca@example.org")
    assert (form.sender.value, form.reply_to) == ("luca@example.org", "")
