"""Who uses the product in the flows: an agent at the desk, and a browser's live stream."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.faults.installation import AGENT, Installation
from tests.kitlib import wait_until


@contextmanager
def signed_in(one: Installation, password: str, email: str = AGENT) -> Iterator[httpx.Client]:
    """A browser in which somebody signed in."""
    with httpx.Client(base_url=one.product.url, timeout=20, follow_redirects=True) as browser:
        _sign_in(browser, password, email)
        yield browser


def _sign_in(browser: httpx.Client, password: str, email: str) -> None:
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', browser.get("/login").text))
    entered = browser.post("/login", data={**hidden, "email": email, "password": password})
    assert entered.status_code == 200, entered.text[:500]
    assert "/login" not in str(entered.url)


def post_contact(one: Installation, external_id: str, *, shop: int = 0, **fields: Any) -> str:
    """Brings a contact in by the hook; returns its id."""
    body = {
        "external_id": external_id,
        "from": {"email": f"{external_id}@posta.example"},
        "text": "Buongiorno",
    } | fields
    headers = {"Authorization": f"Bearer {one.api.token}"}
    hook = f"{one.product.url}/hooks/api/{one.shops[shop].accounts['api']}"
    answer = one.api.client.post(hook, json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def ticket_with(one: Installation, external_id: str) -> dict[str, Any]:
    """The ticket that holds a contact, with its interactions, once it is there; looks at the newest."""
    found: dict[str, Any] = wait_until(lambda: _look(one, external_id), 20)
    return found


def _look(one: Installation, external_id: str) -> dict[str, Any] | None:
    for ticket in one.api.call("GET", "/tickets?limit=20")["items"]:
        whole: dict[str, Any] = one.api.call("GET", f"/tickets/{ticket['id']}")
        if any(external_id in (said["external_id"] or "") for said in whole["interactions"]):
            return whole
    return None


class Stream:
    """One page's live stream, read on a thread. `seen` holds event, id, data and when it came."""

    def __init__(self, one: Installation, browser: httpx.Client, last: str = "") -> None:
        self.seen: list[tuple[str, str, dict[str, Any], float]] = []
        self.ended = threading.Event()
        address = urlsplit(one.product.url)
        self._connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        headers = {"cookie": cookies} | ({"last-event-id": last} if last else {})
        self._connection.connect()
        self._socket = self._connection.sock
        self._connection.request("GET", "/live", headers=headers)
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        fields: dict[str, str] = {}
        try:
            while line := self._answer.readline():
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if value:
                    fields[name] = value
                elif "event" in fields:
                    told = json.loads(fields["data"])
                    self.seen.append((fields["event"], fields.get("id", ""), told, time.monotonic()))
                    fields = {}
        except (OSError, http.client.HTTPException, ValueError):
            self.seen.append(("broken", "", {}, time.monotonic()))
        finally:
            self.ended.set()

    def named(self, name: str) -> bool:
        """Whether such an event came."""
        return any(event == name for event, _, _, _ in self.seen)

    def told_of(self, ticket: str) -> float:
        """When it first told of a ticket; 0 when it did not."""
        return next((at for event, _, told, at in self.seen if event == "change" and told["id"] == ticket), 0.0)

    def wait_for(self, ticket: str) -> float:
        """When it told of a ticket, once it has."""
        return float(wait_until(lambda: self.told_of(ticket), 20))

    @property
    def last(self) -> str:
        """The last event id, as a browser would send it."""
        return next((number for _, number, _, _ in reversed(self.seen) if number), "")

    def close(self) -> None:
        """The page is closed."""
        self._socket.shutdown(2)
        self._thread.join(10)
        self._connection.close()
