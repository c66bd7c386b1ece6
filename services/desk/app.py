"""Wires the desk: its database, clients, pages, API and loops."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from prometheus_client import Gauge

from services.desk.api.app import PREFIX, build_api
from services.desk.api.coalesce import Coalescer
from services.desk.api.parts import Api
from services.desk.clients import Clients
from services.desk.clients.directory import Directory
from services.desk.consumer import Listener
from services.desk.context import Desk, PageSet
from services.desk.letters import reset_letter
from services.desk.live.feed import LiveFeed
from services.desk.live.presence import Presence
from services.desk.usecases.acts import Acts
from services.desk.usecases.attempts import Attempts
from services.desk.usecases.factors import Factors
from services.desk.usecases.passwords import Passwords
from services.desk.usecases.people import People
from services.desk.usecases.repeat import Answers
from services.desk.usecases.resets import Resets
from services.desk.usecases.sessions import Sessions
from services.desk.usecases.tokens import KeysToIntake, Tokens
from services.desk.usecases.writing import Writing
from services.desk.web.app import build_web
from services.kit.app import Check, Mount, Service, Worker
from services.kit.rpc import Caller

if TYPE_CHECKING:
    from services.kit.backends import Parts

_SWEEP_S = 300.0
_RESETS = 3  # links asked for in 15 minutes before waiting: each is a mail in somebody's box


class _Sweeper:
    """The loop that deletes what is over: sessions, stored answers, files that were never sent."""

    name = "desk-sweeper"

    def __init__(self, *sweeps: Callable[[], int]) -> None:
        self._sweeps = sweeps

    def run(self, stop: threading.Event) -> None:
        """Sweeps every five minutes."""
        while not stop.wait(_SWEEP_S):
            for sweep in self._sweeps:
                sweep()


def build(parts: Parts, *, pages: Callable[[Desk], PageSet] | None = None) -> Service:
    """The desk as a service: `/` and `/api/v1`, the live feed, and intake's copy of the tokens."""
    clock, database = parts.clock, parts.database
    clients = Clients.connect(Caller(service="desk", keys=parts.keys, clock=clock), parts.channels)
    passwords = Passwords()
    attempts = Attempts(limit=parts.settings.login_attempts, clock=clock)
    factors = Factors(database, clock=clock, keys=parts.keys, box=parts.secrets, passwords=passwords, attempts=attempts)
    sessions = Sessions(database, clock=clock, passwords=passwords, attempts=attempts, factors=factors)
    tokens = Tokens(database, clock=clock)
    keys_to_intake = KeysToIntake(database, clients.intake.put_access_keys, clock=clock)

    def changed() -> None:
        sessions.forget()
        tokens.forget()
        directory.forget()
        keys_to_intake.changed()

    people = People(database, clock=clock, passwords=passwords, changed=changed)
    directory = Directory(people, clients, clock=clock)
    resets = Resets(
        database,
        clock=clock,
        keys=parts.keys,
        passwords=passwords,
        attempts=Attempts(limit=min(_RESETS, parts.settings.login_attempts), clock=clock),
        send=lambda mail: clients.intake.send_notice(reset_letter(mail, url=parts.settings.url(), now=clock.now())),
        changed=changed,
    )
    writing = Writing(database, parts.blobs, clock=clock)
    feed = LiveFeed()
    Gauge("ascolto_desk_streams", "Open live streams.", registry=parts.metrics).set_function(feed.count)
    presence = Presence(database, feed, clock=clock)
    desk = Desk(
        settings=parts.settings,
        clock=clock,
        keys=parts.keys,
        blobs=parts.blobs,
        clients=clients,
        acts=Acts(clients, writing, directory),
        people=people,
        sessions=sessions,
        factors=factors,
        resets=resets,
        directory=directory,
        writing=writing,
        presence=presence,
        live=feed,
    )
    answers = Answers(database, clock=clock)
    contacts = Coalescer(clients.intake.accept)
    page_set = (pages or _pages())(desk)
    workers: list[Worker] = [
        Listener(parts.log, feed, presence, clock=clock),
        keys_to_intake,
        resets,
        _Sweeper(sessions.prune, resets.prune, answers.prune, writing.sweep),
    ]
    return Service(
        name="desk",
        database=database,
        workers=workers,
        mounts=[
            Mount(PREFIX, build_api(desk, Api(tokens, answers, contacts))),
            Mount("/", build_web(desk, page_set)),
        ],
        checks=[Check("desk database", database.ping)],
        on_stop=[feed.close, contacts.close, passwords.close, clients.operations.close],
    )


def _pages() -> Callable[[Desk], PageSet | None]:
    """The desk's pages; none where they are not installed."""
    found: Callable[[Desk], PageSet | None] | None = getattr(
        importlib.import_module("services.desk.pages"), "build_pages", None
    )
    return found or (lambda _desk: None)
