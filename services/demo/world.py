"""The simulated world, running: one HTTP server for X and the feed, one mail server. Loopback only, free ports."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from starlette.applications import Starlette

from services.demo.feed import SimulatedFeed
from services.demo.mailbox import SimulatedMailServer
from services.demo.x import Author, SimulatedX
from services.kit.config import HostPort
from services.kit.http import HttpServer


def cast() -> dict[str, Any]:
    """The fictional brands, customers and texts of `people.json`."""
    data: dict[str, Any] = json.loads(resources.files("services.demo").joinpath("people.json").read_text("utf-8"))
    return data


@dataclass(slots=True)
class World:
    """Everything outside the product."""

    x: SimulatedX = field(default_factory=SimulatedX)
    feed: SimulatedFeed = field(default_factory=SimulatedFeed)
    mail: SimulatedMailServer = field(default_factory=SimulatedMailServer)
    _http: HttpServer | None = None

    def start(self) -> None:
        """Both servers answer when this returns."""
        self.mail.start()
        app = Starlette(routes=[*self.x.routes(), *self.feed.routes()])
        self._http = HttpServer(app, HostPort("127.0.0.1", 0), trust_proxy=False)
        self._http.start()

    def stop(self) -> None:
        """Ends streams and servers."""
        self.x.close_streams()
        if self._http is not None:
            self._http.stop()
        self.mail.stop()

    @property
    def url(self) -> str:
        """Base URL of X; the feed is at `/feed.xml` under it."""
        assert self._http is not None
        return f"http://{self._http.address}"

    @property
    def smtp_out(self) -> str:
        """Value of ASCOLTO_SMTP_OUT that leads here."""
        return f"smtp://{self.mail.host}:{self.mail.port}"


def authors(people: dict[str, Any]) -> list[Author]:
    """The accounts that post on the simulated X."""
    return [
        Author(str(2000 + number), handle, name, followers)
        for number, (handle, name, followers) in enumerate(people["authors"])
    ]
