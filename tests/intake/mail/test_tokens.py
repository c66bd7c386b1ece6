"""Signed addresses and ids: ours are known in any case, nobody else's ever."""

import pytest

from services.intake.mail.parse import parse_mail
from services.intake.mail.tokens import MailTokens, ancestors, is_bounce_address, plain_address

TOKENS = MailTokens(b"k" * 32)
TICKET = "tkt_01kaxyz0123456789abcdefghj"
OTHER = "tkt_01kaxyz0123456789abcdefghk"
DELIVERY = "dlv_01kaxyz0123456789abcdefghj"


def mail(**fields: str):
    lines = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in fields.items())
    return parse_mail(f"From: mara@example.org\nMessage-ID: <m@example.org>\n{lines}\nciao".encode())


@pytest.mark.parametrize("field", ["To", "Cc", "Delivered_To", "X_Original_To", "Envelope_To", "X_Forwarded_To"])
@pytest.mark.parametrize("change", [str, str.upper, str.title])
def test_the_ticket_is_known_by_its_address_wherever_it_stands(field, change):
    address = change(TOKENS.reply_address("Care@Shop.example", TICKET))

    assert TOKENS.ticket_of(mail(**{field: f"Shop <{address}>"})) == TICKET


@pytest.mark.parametrize("field", ["In_Reply_To", "References"])
def test_the_ticket_is_known_by_our_message_id(field):
    own = TOKENS.message_id("care@shop.example", DELIVERY, TICKET)

    assert TOKENS.ticket_of(mail(**{field: f"<a@x.example> <{own}>"})) == TICKET


def test_another_ticket_under_the_same_signature_is_refused():
    forged = TOKENS.reply_address("care@shop.example", TICKET).replace(TICKET, OTHER)
    forged_id = TOKENS.message_id("care@shop.example", DELIVERY, TICKET).replace(TICKET, OTHER)

    assert TOKENS.ticket_of(mail(To=forged, In_Reply_To=f"<{forged_id}>")) == ""


def test_a_token_of_another_installation_is_refused():
    address = MailTokens(b"x" * 32).reply_address("care@shop.example", TICKET)

    assert TOKENS.ticket_of_address(address) == ""


def test_a_token_made_under_a_former_key_still_counts():
    address = MailTokens(b"x" * 32).reply_address("care@shop.example", TICKET)

    assert MailTokens(b"k" * 32, former=(b"x" * 32,)).ticket_of_address(address) == TICKET


def test_a_bounce_token_is_no_reply_token_and_the_other_way_round():
    bounce = TOKENS.bounce_address("care@shop.example", DELIVERY)
    signature = bounce.partition("@")[0].rpartition("-")[2]

    assert TOKENS.delivery_of_address(bounce.upper()) == DELIVERY
    assert is_bounce_address(bounce)
    assert TOKENS.ticket_of_address(f"care+{DELIVERY}-{signature}@shop.example") == ""
    assert TOKENS.delivery_of_address(TOKENS.reply_address("care@shop.example", TICKET)) == ""


def test_a_bounce_is_mapped_by_its_address_then_by_the_id_it_returns():
    own = TOKENS.message_id("care@shop.example", DELIVERY, TICKET)
    address = TOKENS.bounce_address("care@shop.example", DELIVERY)

    assert TOKENS.delivery_of(mail(To=address)) == DELIVERY
    assert TOKENS.delivery_of(mail(In_Reply_To=f"<{own}>")) == DELIVERY
    assert TOKENS.delivery_of(mail(To="care@shop.example"), envelope_to=(address,)) == DELIVERY
    assert TOKENS.delivery_of(mail(To="care@shop.example")) == ""


def test_our_own_mail_is_known_by_its_id():
    own = TOKENS.message_id("care@shop.example", DELIVERY, "")
    raw = f"From: care@shop.example\nMessage-ID: <{own}>\n\nx".encode()

    assert TOKENS.is_ours(parse_mail(raw))
    assert not TOKENS.is_ours(mail())


def test_ancestors_are_the_answered_ids_then_references_from_the_end_and_never_empty():
    found = ancestors(
        mail(In_Reply_To="<c@x.example> <>", References="<a@x.example> <b@x.example> <c@x.example> <m@example.org>")
    )

    assert found == ("c@x.example", "b@x.example", "a@x.example")


def test_an_address_is_compared_without_its_suffix_and_case():
    assert plain_address("Care+News@Shop.Example") == "care@shop.example"
