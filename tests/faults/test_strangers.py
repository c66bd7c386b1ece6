"""Scenario 40: whoever reaches a service's port and is none of ours gets nothing: each method of each service is tried."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

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


@pytest.fixture(scope="module")
def channels(template: Prepared) -> Iterator[dict[str, grpc.Channel]]:
    """A bare channel to each service, over the network."""
    settings = Settings.from_env({"ASCOLTO_DATA": str(template.folder / "data"), "ASCOLTO_MODELS": "0"})
    with Application(settings) as app:
        app.migrate()
        wire(app)
        made = {}
        for name in app.services:
            place = free_port(HostPort("127.0.0.1", 0))
            app.listen(name, place)
            made[name] = grpc.insecure_channel(str(place))
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
