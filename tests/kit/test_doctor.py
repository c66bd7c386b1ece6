"""The doctor finds what is wrong, says how to mend it, and never ends in a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from prometheus_client import CollectorRegistry

from services import __main__ as product
from services.kit import doctor
from services.kit.application import Application
from services.kit.clock import SystemClock
from services.kit.config import HostPort, Settings
from services.kit.http import free_port
from services.kit.rpc import network
from services.kit.rpc.guard import Guard, call_counter
from services.kit.secrets import Keys
from services.search.index.elastic import ElasticEngine
from tests.search.elastic_stub import Answer, Stub

Found = dict[str, dict[str, Any]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Of an installation that is made and does not run."""
    given = {"ASCOLTO_DATA": str(tmp_path / "data")}
    with Application(Settings.from_env(given)) as app:
        app.migrate()
    return given


@pytest.fixture
def nobody() -> str:
    """An address where nobody listens."""
    return str(free_port(HostPort("127.0.0.1", 0)))


def examined(environment: dict[str, str]) -> Found:
    return {one["name"]: one for one in doctor.examine(environment)}


def test_nothing_is_wrong_with_a_new_installation(environment: dict[str, str]) -> None:
    assert [one for one in doctor.examine(environment) if not one["ok"] or one["warning"]] == []


def test_a_wrong_setting_is_a_finding(environment: dict[str, str]) -> None:
    found = examined(environment | {"ASCOLTO_HTTP": "nowhere"})

    assert not found["ASCOLTO_HTTP"]["ok"]
    assert "write it as host:port" in found["ASCOLTO_HTTP"]["detail"]


def test_a_database_that_was_never_migrated_is_told_how_to_be(tmp_path: Path) -> None:
    found = examined({"ASCOLTO_DATA": str(tmp_path / "data")})

    assert not found["tickets: database"]["ok"]
    assert "ascolto migrate" in found["tickets: database"]["detail"]


def test_servers_that_are_away_are_a_line_each(environment: dict[str, str], nobody: str) -> None:
    found = examined(
        environment
        | {
            "ASCOLTO_INDEX": f"elasticsearch://{nobody}/ascolto",
            "ASCOLTO_BLOBS": f"s3://key:secret@{nobody}/bucket?tls=0",
        }
    )

    for name, setting in (
        ("index", "ASCOLTO_INDEX"),
        ("blobs", "ASCOLTO_BLOBS"),
    ):
        assert not found[name]["ok"]
        assert setting in found[name]["detail"]
    assert found["key"]["ok"]


def test_a_key_that_others_can_read_is_told(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "data" / "key").chmod(0o644)

    found = examined(environment)

    assert not found["key"]["ok"]
    assert "chmod 600" in found["key"]["detail"]


@pytest.mark.parametrize(("apart_s", "ok", "warning"), [(1.0, True, False), (-3.0, True, True), (301.0, False, False)])
def test_a_clock_apart_warns_and_then_is_bad(
    apart_s: float, ok: bool, warning: bool, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Application(Settings.from_env(environment)) as app:
        here = app.clock
        monkeypatch.setattr(app, "clock", _Shifted(here, -apart_s))

        found = {one["name"]: one for one in doctor.look(app)}

    assert (found["tickets: clock"]["ok"], found["tickets: clock"]["warning"]) == (ok, warning)
    assert (found["tickets: clock"]["detail"] == doctor.FINE) is (ok and not warning)


class _Shifted(SystemClock):
    def __init__(self, under: Any, by_s: float) -> None:
        self._under, self._by_s = under, by_s

    def now(self) -> Any:
        return self._under.now() + timedelta(seconds=self._by_s)


def test_a_peer_that_does_not_answer_is_told(environment: dict[str, str], nobody: str) -> None:
    found = examined(environment | {"ASCOLTO_RPC": f"grpc://tickets={nobody}"})

    assert not found[f"tickets: calls to {nobody}"]["ok"]
    assert "does not answer" in found[f"tickets: calls to {nobody}"]["detail"]


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[str]:
    """A service of another installation: it has another key."""
    keys = Keys.open(tmp_path / "another")
    guard = Guard(service="tickets", keys=keys, clock=SystemClock(), calls=call_counter(CollectorRegistry()))
    server = network.server(guard)
    with Application(Settings.from_env({"ASCOLTO_DATA": str(tmp_path / "other")})) as app:
        app.migrate()
        product.wire(app)
        app._register("tickets", server)
        address = free_port(HostPort("127.0.0.1", 0))
        network.listen(server, address)
        yield str(address)
        server.stop(None)


def test_a_peer_with_another_key_is_told(environment: dict[str, str], stranger: str) -> None:
    found = examined(environment | {"ASCOLTO_RPC": f"grpc://tickets={stranger}"})

    assert not found[f"tickets: calls to {stranger}"]["ok"]
    assert "ASCOLTO_KEY_FILE" in found[f"tickets: calls to {stranger}"]["detail"]


def test_a_peer_whose_certificate_we_do_not_accept_is_told(
    environment: dict[str, str], stranger: str, tmp_path: Path
) -> None:
    files = certificates(tmp_path)

    found = examined(environment | files | {"ASCOLTO_RPC": f"grpcs://tickets={stranger}"})  # it speaks no TLS at all

    assert "ASCOLTO_RPC_CA" in found[f"tickets: calls to {stranger}"]["detail"]


def certificates(folder: Path) -> dict[str, str]:
    """Settings of a certificate that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    cert, private = str(folder / "cert.pem"), str(folder / "key.pem")
    return {"ASCOLTO_RPC_CA": cert, "ASCOLTO_RPC_CERT": cert, "ASCOLTO_RPC_KEY": private}


def test_a_cluster_without_our_analyzers_is_told(tmp_path: Path) -> None:
    def answer(_method: str, path: str, _body: bytes) -> Answer:
        if path.startswith("/_analyze"):
            return 400, {"error": {"type": "illegal_argument_exception", "reason": "failed to find filter"}}
        return 200, {"status": "green"}

    stub = Stub(answer)

    found = ElasticEngine(f"elasticsearch://{stub.address}/shop", tmp_path).faults()

    assert any("text_it" in sentence and "analysis-common" in sentence for sentence in found)
    stub.close()
