"""An HTTP server that answers as it is told, in place of Elasticsearch or in front of it."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Any] | None  # status and JSON; None: the connection ends without an answer
Handler = Callable[[str, str, bytes], Answer]


def lines_of(body: bytes) -> list[Any]:
    """The JSON of each line."""
    return [json.loads(line) for line in body.splitlines()]


def ids_of(body: bytes) -> list[str]:
    """The ids of a bulk body's items."""
    return [line["index"]["_id"] for line in lines_of(body) if "index" in line and "_id" in line["index"]]


class Stub:
    """Listens on a free loopback port; `handler` may be replaced at any time."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.requests: list[tuple[str, str, bytes]] = []
        self.authorized_by = ""  # the newest request
        stub = self

        class _Answers(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                stub.requests.append((self.command, self.path, body))
                stub.authorized_by = self.headers.get("authorization", "")
                answer = stub.handler(self.command, self.path, body)
                if answer is None:
                    self.close_connection = True
                    self.connection.close()
                    return
                data = json.dumps(answer[1]).encode()
                self.send_response(answer[0])
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 (named by the library)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (as above)
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def passed_on(address: str) -> Handler:
    """Answers with what the server at `address` answers."""

    def handle(method: str, path: str, body: bytes) -> Answer:
        connection = http.client.HTTPConnection(address, timeout=60)
        try:
            kind = "application/x-ndjson" if "_bulk" in path or "_msearch" in path else "application/json"
            connection.request(method, path, body or None, {"content-type": kind})
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        finally:
            connection.close()

    return handle
