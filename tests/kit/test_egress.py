"""The door to the outside: what is refused, also by detours; what is allowed by name; what is capped."""

from __future__ import annotations

import asyncio
import time

import pytest
from starlette.applications import Starlette
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from services.kit.config import HostPort
from services.kit.egress import Egress, is_public
from services.kit.errors import Forbidden, Invalid, Unavailable
from services.kit.http import HttpServer


@pytest.fixture(scope="module")
def sink():
    hits = []

    async def secret(request):
        hits.append(request.url.path)
        return Response("secret")

    async def away(_request):
        return RedirectResponse(f"http://localhost:{server.address.port}/secret", 302)

    async def flood(_request):
        return Response(b"x" * 200_000)

    async def name(request):
        return Response(request.headers["host"])

    async def drip(_request):
        async def drops():
            for _ in range(200):
                await asyncio.sleep(0.05)  # sleep: what a slow host does
                yield b"x"

        return StreamingResponse(drops())

    app = Starlette(
        routes=[
            Route("/secret", secret),
            Route("/name", name),
            Route("/drip", drip),
            Route("/away", away),
            Route("/flood", flood),
        ]
    )
    server = HttpServer(app, HostPort("127.0.0.1", 0), trust_proxy=False)
    server.start()
    yield server.address.port, hits
    server.stop()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "::1", "::",
        "fe80::1", "fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "224.0.0.1", "fec0::1",
    ],
)  # fmt: skip
def test_special_addresses_are_not_public(address):
    assert not is_public(address)


def test_an_address_of_the_open_internet_is_public():
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1::1")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_every_spelling_of_loopback_is_refused(sink, host):
    port, hits = sink
    before = len(hits)

    with pytest.raises((Forbidden, Unavailable)):
        Egress().request("GET", f"http://{host}:{port}/secret")

    assert len(hits) == before


@pytest.mark.parametrize("url", ["file:///etc/passwd", "gopher://x/", "ftp://x/", "//x", "x", "http://"])
def test_other_schemes_are_refused(url):
    with pytest.raises(Invalid):
        Egress().request("GET", url)


def test_a_redirect_to_loopback_is_checked_like_the_first_address(sink):
    port, hits = sink
    before = len(hits)
    egress = Egress()

    with pytest.raises(Forbidden):
        egress.request("GET", f"http://127.0.0.1:{port}/away", redirects=3, allow=[f"127.0.0.1:{port}"])

    assert len(hits) == before


def test_a_name_that_changes_its_address_is_connected_where_it_was_checked(sink):
    """Rebinding: what is checked is the first answer, so nobody may ask for a second one."""
    port, hits = sink
    before, asked = len(hits), []

    def resolve(host, _port):
        asked.append(host)
        return ["127.0.0.2"] if len(asked) > 1 else ["127.0.0.1"]

    answer = Egress(resolve=resolve).request(
        "GET", f"http://rebinding.example:{port}/name", allow=["rebinding.example"]
    )

    assert asked == ["rebinding.example"]
    assert (answer.body, len(hits)) == (f"rebinding.example:{port}".encode(), before)


def test_a_name_that_leads_inside_later_is_refused_then(sink):
    port, hits = sink
    before, answers = len(hits), iter([["93.184.216.34"], ["127.0.0.1"]])
    egress = Egress(resolve=lambda _host, _port: next(answers))

    assert egress.check(f"http://rebinding.example:{port}/secret") == "93.184.216.34"
    with pytest.raises(Forbidden):
        egress.request("GET", f"http://rebinding.example:{port}/secret")

    assert len(hits) == before


def test_an_answer_that_never_ends_is_given_up_in_time(sink):
    """Each byte comes in time, the whole never: the limit is of the whole."""
    port, _ = sink
    began = time.monotonic()

    with pytest.raises(Unavailable):
        Egress(allowed=["127.0.0.1"]).request("GET", f"http://127.0.0.1:{port}/drip", timeout_s=0.5)

    assert time.monotonic() - began < 5


def test_one_bad_address_beside_a_good_one_is_enough():
    egress = Egress(resolve=lambda _host, _port: ["93.184.216.34", "127.0.0.1"])

    with pytest.raises(Forbidden):
        egress.check("https://both.example/")


def test_an_allowed_host_is_reached(sink):
    port, _ = sink

    answer = Egress(allowed=["127.0.0.1"]).request("GET", f"http://127.0.0.1:{port}/secret")

    assert (answer.status, answer.body) == (200, b"secret")


def test_an_answer_that_is_too_large_is_given_up(sink):
    port, _ = sink

    with pytest.raises(Unavailable, match="more than 1000 bytes"):
        Egress(allowed=["127.0.0.1"]).request("GET", f"http://127.0.0.1:{port}/flood", max_bytes=1000)
