"""Calls between processes: who may connect, where the others are, and what a lost instance does."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from prometheus_client import CollectorRegistry

from ascolto.common.v1.envelope_pb2 import Empty
from ascolto.search.v1 import service_pb2 as pb
from ascolto.search.v1.service_pb2_grpc import SearchServicer, SearchStub, add_SearchServicer_to_server
from services.kit.clock import SystemClock
from services.kit.config import HostPort, Settings
from services.kit.errors import Invalid, Unavailable
from services.kit.http import free_port
from services.kit.rpc import Caller, Guard
from services.kit.rpc.guard import call_counter
from services.kit.rpc.network import NetworkCalls
from services.kit.secrets import Keys

KEYS = Keys(b"\x03" * 32)


class Named(SearchServicer):
    """Answers with its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def Status(self, request: Any, context: Any) -> pb.StatusResponse:  # noqa: N802 (named by the contract)
        return pb.StatusResponse(state=self.name)


def listening(name: str, settings: Settings) -> NetworkCalls:
    """An instance of search at `settings.rpc_listen`."""
    calls = NetworkCalls(settings)
    guard = Guard(service="search", keys=KEYS, clock=SystemClock(), calls=call_counter(CollectorRegistry()))
    calls.serve(guard, lambda server: add_SearchServicer_to_server(Named(name), server))
    return calls


def ask(channel: grpc.Channel) -> str:
    answer = Caller(service="desk", keys=KEYS, clock=SystemClock()).invoke(
        SearchStub(channel).Status, Empty(), timeout_s=5.0
    )
    return str(answer.state)


def free() -> HostPort:
    return free_port(HostPort("127.0.0.1", 0))


def test_calls_go_to_the_instances_by_turns_and_to_those_that_are_left() -> None:
    places = [free(), free()]
    where = ",".join(f"search={place}" for place in places)
    one, two = (
        listening(name, replace(Settings(), rpc=f"grpc://{where}", rpc_listen=place))
        for name, place in zip(("one", "two"), places, strict=True)
    )
    try:
        with NetworkCalls(replace(Settings(), rpc=f"grpc://{where}")).channel("search") as channel:
            grpc.channel_ready_future(channel).result(10)
            seen = {ask(channel) for _ in range(40)}
            one.close()
            left = [_asked(channel) for _ in range(20)]
    finally:
        two.close()

    assert seen == {"one", "two"}
    assert set(left[-10:]) == {"two"}  # a call under way may fail, the next ones do not


def _asked(channel: grpc.Channel) -> str:
    try:
        return ask(channel)
    except Unavailable:
        return ""


@pytest.mark.parametrize(
    ("rpc", "says"),
    [
        ("grpc://tickets=127.0.0.1:1", "does not say where search answers"),
        ("grpc://search", "write it as host:port"),
        ("grpc://search=one:1,search=two:1", "listed by number"),
        ("grpcs://{service}:1", "needs ASCOLTO_RPC_CA"),
    ],
)
def test_a_wrong_place_is_one_sentence(rpc: str, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        NetworkCalls(replace(Settings(), rpc=rpc)).channel("search")


# --- TLS ---


class Authority:
    """Signs certificates for 127.0.0.1."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir()
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._write("ca", self._signed(self._name, self._key.public_key(), authority=True))

    def settings(self, address: HostPort, name: str = "process") -> Settings:
        """Settings of a process with a certificate of this authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._write(name, self._signed(who, key.public_key(), authority=False))
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (self.folder / f"{name}.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
        paths = {"rpc_ca": "ca.pem", "rpc_cert": f"{name}.pem", "rpc_key": f"{name}.key"}
        files = {setting: str(self.folder / path) for setting, path in paths.items()}
        return replace(Settings(), rpc=f"grpcs://{address}", rpc_listen=address, **files)

    def _signed(self, who: x509.Name, key: Any, *, authority: bool) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = x509.CertificateBuilder().subject_name(who).issuer_name(self._name).public_key(key)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(hours=1))
        builder = builder.not_valid_after(now + dt.timedelta(hours=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def _write(self, name: str, certificate: x509.Certificate) -> None:
        (self.folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def test_over_tls_processes_of_one_authority_speak_and_others_are_refused(tmp_path: Path) -> None:
    ours, others = Authority(tmp_path / "ours", "ours"), Authority(tmp_path / "others", "others")
    address = free()
    server = listening("one", ours.settings(address))
    try:
        with NetworkCalls(ours.settings(address, "desk")).channel("search") as channel:
            assert ask(channel) == "one"
        with NetworkCalls(others.settings(address)).channel("search") as channel, pytest.raises(Unavailable):
            ask(channel)
        plain = replace(Settings(), rpc=f"grpc://{address}")
        with NetworkCalls(plain).channel("search") as channel, pytest.raises(Unavailable):
            ask(channel)
    finally:
        server.close()


def test_a_certificate_that_cannot_be_read_names_its_setting(tmp_path: Path) -> None:
    settings = replace(Settings(), rpc="grpcs://{service}:1", rpc_ca=str(tmp_path / "none.pem"))

    with pytest.raises(Invalid, match=r"ASCOLTO_RPC_CA=.*none.pem cannot be read"):
        NetworkCalls(settings)
