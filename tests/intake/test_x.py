"""X, as its sending channel meets it: each answer of the platform has one meaning, and a lost one is unknown."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from services.intake import x
from services.intake.channels.x import XChannel
from services.intake.domain.channel import Account, Outbound
from services.intake.ports import NotSent, Tools, Uncertain
from services.kit.egress import Egress


class Platform:
    """A small X: answers what the test says, or hangs up."""

    def __init__(self) -> None:
        self.answer: tuple[int, str, dict[str, str]] | None = None
        self.seen: list[bytes] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                owner.seen.append(self.rfile.read(int(self.headers["content-length"])))
                if owner.answer is None:
                    self.close_connection = True
                    return
                status, body, headers = owner.answer
                self.send_response(status)
                for name, value in {
                    "content-type": "application/json",
                    "content-length": str(len(body)),
                    **headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_args: Any) -> None:
                return

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join(timeout=5)
        self.server.server_close()


@pytest.fixture
def platform() -> Iterator[Platform]:
    made = Platform()
    yield made
    made.close()


def send(platform: Platform, text: str = "Ci spiace molto.", *, allow: str = "127.0.0.1") -> Any:
    port = platform.server.server_address[1]
    account = Account(
        id="acc_x",
        brand_id="brd_1",
        channel="x",
        settings={"base_url": f"http://127.0.0.1:{port}", "allow_hosts": allow},
        secrets={"user_token": "t"},
    )
    tools: Any = Tools(settings=None, keys=None, clock=None, egress=Egress(), blobs=None, data=None)  # type: ignore[arg-type]  # the test knows what it made
    outbound = Outbound(delivery_id="dlv_1", reply_id="int_1", ticket_id="tkt_1", text=text, in_reply_to="77")
    return XChannel(tools).send(outbound, account)


def test_a_post_is_an_answer_and_its_id_comes_back(platform: Platform) -> None:
    platform.answer = (201, '{"data":{"id":"99","text":"x"}}', {})

    receipt = send(platform)

    assert receipt.external_id == "99"
    assert b'"in_reply_to_tweet_id": "77"' in platform.seen[0]


@pytest.mark.parametrize(
    ("answer", "retry", "account"),
    [
        ((429, "{}", {}), True, False),
        ((429, '{"type":"usage-capped"}', {}), False, True),
        ((401, "{}", {}), False, True),
        ((403, '{"detail":"not summoned","title":"Forbidden"}', {}), False, False),
        ((400, "{}", {}), False, False),
        ((503, "{}", {}), True, False),
    ],
)
def test_refusals_are_surely_not_sent(platform: Platform, answer: Any, retry: bool, account: bool) -> None:
    platform.answer = answer

    with pytest.raises(NotSent) as told:
        send(platform)

    assert (told.value.retry, told.value.account) == (retry, account)


@pytest.mark.parametrize("answer", [None, (500, "{}", {}), (201, "<html>", {}), (201, '{"data":{}}', {})])
def test_a_lost_or_unreadable_answer_is_uncertain(platform: Platform, answer: Any) -> None:
    platform.answer = answer

    with pytest.raises(Uncertain):
        send(platform)

    assert len(platform.seen) == 1


def test_a_private_host_is_not_reached_unless_the_account_allows_it(platform: Platform) -> None:
    with pytest.raises(NotSent) as told:
        send(platform, allow="")

    assert told.value.account
    assert platform.seen == []


def test_what_is_too_long_is_refused_and_not_cut(platform: Platform) -> None:
    with pytest.raises(NotSent, match="282 weighted"):
        send(platform, "漢" * 141)

    assert platform.seen == []


def test_weights() -> None:
    assert x.weight("a" * 280) == 280
    assert x.weight("https://shop.example/" + "a" * 90) == 23
    assert x.weight("😅") == 2
    assert x.weight("è") == 1
