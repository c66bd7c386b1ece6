"""Serves drawn pages and static files on a free port of loopback, for Chromium."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.desk.pages.draw import DRAWN, PAGES


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if parts.path.startswith("/static/"):
            file = PAGES.statics.find(parts.path.split("/", 3)[3])
            self._answer(200 if file else 404, file.media_type if file else "text/plain", file.body if file else b"")
            return
        draw = DRAWN.get(parts.path.strip("/"))
        if draw is None:
            self._answer(404, "text/plain", b"")
            return
        language = query.pop("language", "it")
        person: dict[str, object] = dict(query)
        if "shortcuts" in person:
            person["shortcuts"] = person["shortcuts"] == "on"
        self._answer(200, "text/html; charset=utf-8", draw(language, **person).encode())

    def _answer(self, status: int, media_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        policy = (
            "default-src 'self'; img-src 'self' data:; frame-src 'self' about:; base-uri 'none'; form-action 'self'"
        )
        self.send_header("Content-Security-Policy", policy)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def served() -> Iterator[str]:
    """The address of the running server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
