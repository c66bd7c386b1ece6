"""A contact's way from the edge to the index is one trace, at a collector that speaks OTLP over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from services import __main__ as product
from services.kit.application import Application
from services.kit.config import Settings
from tests.kitlib import wait_until

Span = tuple[str, str, str, str]  # service, name, id, id of its parent


class Collector:
    """What a collector is to us: it takes `ExportTraceServiceRequest`s and keeps their spans by trace."""

    def __init__(self) -> None:
        self.spans: dict[str, list[Span]] = {}
        outer = self

        class Taker(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.take(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/traces"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    found = (named["service.name"], span.name, span.span_id.hex(), span.parent_span_id.hex())
                    self.spans.setdefault(span.trace_id.hex(), []).append(found)

    def trace_with(self, service: str, name: str) -> list[Span]:
        """The spans of the trace that has such a one."""
        return next(
            (spans for spans in list(self.spans.values()) if any(one[:2] == (service, name) for one in spans)), []
        )

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    one = Collector()
    yield one
    one.close()


def _settings(folder: Path, **more: str) -> Settings:
    near = {"ASCOLTO_HTTP": "127.0.0.1:0", "ASCOLTO_SMTP": "127.0.0.1:0", "ASCOLTO_MODELS": "0"}
    return Settings.from_env(near | {"ASCOLTO_DATA": str(folder / "data")} | more)


def test_a_contact_is_one_trace_from_the_edge_to_the_index(collector: Collector, tmp_path: Path) -> None:
    with Application(_settings(tmp_path, ASCOLTO_TRACES=collector.url)) as app:
        app.migrate()
        act = product.commands(product.wire(app))
        accounts = act["init"]({"brand": "Bottega", "email": "cura@bottega.example", "admin": ""}, _say)["accounts"]
        secret = act["token.create"]({"name": "shop", "scopes": ["contacts:write"]}, _say)["secret"]
        app.start()
        answer = httpx.post(
            f"http://{app.http_address}/hooks/api/{accounts['api']}",
            headers={"authorization": f"Bearer {secret}"},
            json={"external_id": "a", "from": {"email": "anna@example.org"}, "text": "Dov'è il mio pacco?"},
            timeout=20,
        )
        assert answer.status_code == 202, answer.text
        wait_until(lambda: collector.trace_with("ascolto-search", "index"), 30)

    found = collector.trace_with("ascolto-search", "index")
    names = {one[:2] for one in found}
    assert names >= {
        ("ascolto-http", "POST /hooks"),
        ("ascolto-intake", "write"),
        ("ascolto-tickets", "consume ascolto.contacts.v1"),
        ("ascolto-search", "index"),
    }
    edge = next(one for one in found if one[1] == "POST /hooks")
    assert edge[3] == ""
    assert {one[3] for one in found if one is not edge} == {edge[2]}


def test_a_call_between_services_is_a_part_of_the_request_that_made_it(collector: Collector, tmp_path: Path) -> None:
    with Application(_settings(tmp_path, ASCOLTO_TRACES=collector.url)) as app:
        app.migrate()
        act = product.commands(product.wire(app))
        act["init"]({"brand": "Bottega", "email": "cura@bottega.example", "admin": ""}, _say)
        secret = act["token.create"]({"name": "shop", "scopes": ["admin"]}, _say)["secret"]
        app.start()
        answer = httpx.get(
            f"http://{app.http_address}/api/v1/tickets", headers={"authorization": f"Bearer {secret}"}, timeout=20
        )
        assert answer.status_code == 200, answer.text

    found = collector.trace_with("ascolto-tickets", "ListTickets")
    served = next(one for one in found if one[1] == "ListTickets")
    asked = next(one for one in found if one[2] == served[3])
    assert asked[1] == "call ListTicketsRequest"
    assert ("ascolto-http", "GET /api/v1") in {one[:2] for one in found}


def test_a_collector_that_is_away_holds_up_neither_work_nor_the_end(tmp_path: Path) -> None:
    with Application(_settings(tmp_path, ASCOLTO_TRACES="http://127.0.0.1:9/v1/traces")) as app:
        app.migrate()
        product.wire(app).start()

        assert httpx.get(f"http://{app.http_address}/login", timeout=20).status_code == 200


def _say(_done: float, _what: str) -> None:
    pass
