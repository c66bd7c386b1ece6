"""Telling people of an alert: by mail with the one sentence, by signed webhook, and in the timeline what came of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from ascolto.social.v1 import service_pb2 as pb
from services.demo.world import World
from services.kit.egress import Answer, Egress
from services.social.notifying import NotifierWorker, Outlets


class _Hook(Egress):
    """A receiver of webhooks that answers as told."""

    def __init__(self, status):
        super().__init__()
        self.status, self.got = status, []

    def request(self, method, url, *, headers=None, content=None, **more):
        self.got.append((dict(headers), content))
        return Answer(self.status, {}, b"", url)


@pytest.fixture
def world():
    made = World()
    made.start()
    yield made
    made.stop()


def raised(social):
    social.quiet_fortnight()
    social.burst(12)  # too few to become serious: one notice
    return social.alerts()[0]


def worker(social, *, relay="", egress=None):
    outlets = Outlets(egress or Egress(), relay, "https://care.shop.example")
    return NotifierWorker(social.parts.database, social.parts.secrets, social.clock, outlets)


def told(social, alert):
    timeline = social.call("GetAlert", pb.GetAlertRequest(id=alert.id)).timeline
    return [(one.act, one.detail) for one in timeline if one.act in {"told", "not_told"}]


def test_a_mail_says_the_sentence_and_the_timeline_whom(social, world):
    social.call("PutNotifier", pb.Notifier(kind="email", target="rep@shop.example", on=True))
    alert = raised(social)

    assert worker(social, relay=world.smtp_out).run_once() == 1

    mail = world.mail.wait_for("rep@shop.example")[0]
    assert f"A-{alert.number}" in str(mail.message["Subject"])
    assert f"/alerts/{alert.id}" in mail.message.get_content()
    assert told(social, alert) == [("told", "rep@shop.example")]


def test_a_webhook_is_signed_and_its_address_stays_out_of_the_timeline(social):
    social.call("PutNotifier", pb.Notifier(kind="webhook", target="https://hook.example/s3cret", secret="key", on=True))
    alert = raised(social)
    hook = _Hook(204)

    worker(social, egress=hook).run_once()

    headers, body = hook.got[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(b"key", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert json.loads(body)["type"] == "alert.raised"
    assert told(social, alert) == [("told", "hook.example")]


def test_what_could_not_be_told_stands_in_the_timeline_when_all_tries_are_used(social):
    social.call("PutNotifier", pb.Notifier(kind="webhook", target="https://hook.example/x", secret="key", on=True))
    alert = raised(social)
    hook = _Hook(500)

    for _ in range(9):
        worker(social, egress=hook).run_once()
        social.clock.advance(hours=24)

    assert len(hook.got) == 9
    assert told(social, alert) == [("not_told", "hook.example: The webhook answers 500.")]


def test_each_escalation_is_told(social):
    social.call("PutNotifier", pb.Notifier(kind="webhook", target="https://hook.example/x", secret="key", on=True))
    alert = raised(social)
    hook = _Hook(204)
    for _ in range(2):
        social.act(alert, "escalate", assignee="usr_b")

    while worker(social, egress=hook).run_once():
        pass

    assert [json.loads(body)["type"] for _, body in hook.got].count("alert.escalated") == 2
