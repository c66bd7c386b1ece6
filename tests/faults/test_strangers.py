"""Scenario 40: whoever reaches a service's port and is none of ours gets nothing: each method of each service is tried."""

from __future__ import annotations

import contextlib
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from services.__main__ import wire
from services.kit.application import Application
from services.kit.clock import SystemClock
from services.kit.config import HostPort, Settings
from services.kit.http import free_port
from services.kit.principal import service_person
from services.kit.rpc.assertion import HEADER, Signer
from services.kit.rpc.guard import MAX_MESSAGE_BYTES
from services.kit.secrets import Keys
from tests.faults.installation import Prepared
from tests.kit.test_rpc import _methods

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]
METHODS = sorted(_methods())
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # RFC 9113, section 3.4


@pytest.fixture(scope="module")
def places(template: Prepared) -> Iterator[dict[str, HostPort]]:
    """Where each service is called over the network."""
    settings = Settings.from_env({"ASCOLTO_DATA": str(template.folder / "data"), "ASCOLTO_MODELS": "0"})
    with Application(settings) as app:
        app.migrate()
        wire(app)
        made = {}
        for name in app.services:
            place = free_port(HostPort("127.0.0.1", 0))
            app.listen(name, place)
            made[name] = place
        yield made


@pytest.fixture(scope="module")
def channels(places: dict[str, HostPort]) -> Iterator[dict[str, grpc.Channel]]:
    """A bare channel to each."""
    made = {name: grpc.insecure_channel(str(place)) for name, place in places.items()}
    yield made
    for channel in made.values():
        channel.close()


def service_of(method: str) -> list[str]:
    """Who answers it: what every service does, or one alone."""
    name = method.split(".")[1]
    return [name] if name != "common" else ["intake", "tickets", "social", "search", "desk"]


def refusal(channel: grpc.Channel, method: str, body: bytes = b"", said: bytes = b"") -> str:
    """The status a raw call ends with; `said` is what it asserts of its caller."""
    call = channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
    try:
        call(body, timeout=20, metadata=[(HEADER, said)] if said else [])
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"


def test_there_are_methods_of_every_service() -> None:
    assert {"intake", "tickets", "social", "search"} <= {method.split(".")[1] for method in METHODS}


@pytest.mark.parametrize("method", METHODS)
def test_without_an_assertion_or_under_a_wrong_key_every_method_is_refused(
    channels: dict[str, grpc.Channel], method: str
) -> None:
    forged = Signer(service="desk", keys=Keys(secrets.token_bytes(32)), clock=SystemClock()).sign(
        service_person("desk")
    )
    for service in service_of(method):
        assert refusal(channels[service], method) == "UNAUTHENTICATED"
        assert refusal(channels[service], method, said=forged) == "UNAUTHENTICATED"
        assert refusal(channels[service], method, said=b"\0" * 80) == "UNAUTHENTICATED"


def test_a_message_too_large_and_questions_about_the_contract_are_refused(channels: dict[str, grpc.Channel]) -> None:
    for service, channel in channels.items():
        method = next(one for one in METHODS if service in service_of(one))
        assert refusal(channel, method, bytes(MAX_MESSAGE_BYTES + 1)) == "RESOURCE_EXHAUSTED"
        for version in ("v1", "v1alpha"):
            reflection = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
            assert refusal(channel, reflection) == "UNIMPLEMENTED"


def test_a_gigabyte_is_refused_by_its_announced_length(channels: dict[str, grpc.Channel]) -> None:
    before = _rss_mib()
    method = next(one for one in METHODS if one.endswith("/AcceptContacts"))

    assert refusal(channels["intake"], method, bytes(2**30)) == "RESOURCE_EXHAUSTED"
    assert _rss_mib() - before < 2 * 1024, "what this test sends is all there is of it"


def test_who_connects_and_never_finishes_a_word_holds_up_nobody(places: dict[str, HostPort]) -> None:
    place = places["tickets"]
    method = next(one for one in METHODS if one.endswith("/ListTickets"))
    with contextlib.ExitStack() as opened:
        for number in range(200):
            slow = opened.enter_context(socket.create_connection((place.host, place.port), timeout=10))
            slow.sendall(_PREFACE[: number % len(_PREFACE)])
        fresh = opened.enter_context(grpc.insecure_channel(str(place)))
        began = time.monotonic()

        assert refusal(fresh, method) == "UNAUTHENTICATED"
        assert time.monotonic() - began < 10.0


def _rss_mib() -> float:
    status = Path("/proc/self/status").read_text("ascii").splitlines()
    return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) / 1024
