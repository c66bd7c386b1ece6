"""Backup, more work, restore: nothing is sent again, what the log still holds is applied once. Small and on real servers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ascolto.intake.v1.service_pb2 import AcceptContactsRequest, NewContact
from ascolto.intake.v1.service_pb2_grpc import IntakeStub
from ascolto.tickets.v1.service_pb2 import ReplyRequest
from ascolto.tickets.v1.service_pb2_grpc import TicketsStub
from services.__main__ import commands, wire
from services.__main__ import restore as restore_command
from services.kit import backup as backups
from services.kit.application import Application
from services.kit.backends import SERVICES
from services.kit.config import Settings
from services.kit.db.snapshot import EPOCH
from services.kit.db.sql import Sql
from services.kit.drain import drain
from services.kit.errors import Conflict
from services.kit.principal import Person
from services.kit.rpc import Caller
from tests.real.cluster import backends

AGENT = Person("usr_a", "Anna", permissions=frozenset({"contacts:write", "tickets:write", "tickets:read"}))


def _quiet(*_told: object) -> None:
    pass


def _work(settings: Settings, act: Callable[[Application, Caller], Any], *, worked_off: bool = True) -> Any:
    """Acts on an installation where nothing is sent and nothing taken in, then works off its log."""
    with Application(settings) as app:
        app.migrate()
        wire(app)
        done = act(app, Caller(service="desk", keys=app.keys, clock=app.clock))
        if worked_off:
            drain(app, _quiet)
        return done


def _accept(account: str, *names: str) -> Callable[[Application, Caller], Any]:
    contacts = [
        NewContact(account=account, external_id=name, conversation=name, subject=name, text=name,
                   email=f"{name}@posta.example")
        for name in names
    ]  # fmt: skip

    def act(app: Application, caller: Caller) -> None:
        asked = AcceptContactsRequest(contacts=contacts)
        found = caller.invoke(IntakeStub(app.channels["intake"]).AcceptContacts, asked, person=AGENT, timeout_s=30)
        assert [one.error for one in found.items] == [""] * len(contacts)

    return act


def _reply(ticket: str) -> Callable[[Application, Caller], Any]:
    def act(app: Application, caller: Caller) -> None:
        asked = ReplyRequest(ticket_id=ticket, text="Arriva domani.", key=f"key-{ticket}", anyway=True)
        caller.invoke(TicketsStub(app.channels["tickets"]).Reply, asked, person=AGENT, timeout_s=30)

    return act


def _rows(settings: Settings, service: str, text: str) -> list[Any]:
    with Application(settings) as app, app.databases[service].read() as reader:
        return list(reader.rows(Sql(text)))


def _scenario(settings: Settings, fresh: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _work(
        settings,
        lambda app, _: commands(app)["init"]({"brand": "Lumaca", "email": "care@lumaca.example", "admin": ""}, _quiet),
    )
    account = made["accounts"]["api"]
    _work(settings, _accept(account, "one", "two", "three"))
    tickets = {subject: id_ for id_, subject in _rows(settings, "tickets", "SELECT id, subject FROM tickets")}
    _work(settings, _reply(tickets["one"]))
    file = tmp_path / "backup.tar.gz"
    _work(settings, lambda app, _: backups.backup(app, _quiet, target=str(file)), worked_off=False)
    last = _rows(settings, "tickets", "SELECT max(rev) FROM interactions")[0][0]
    _work(settings, _reply(tickets["two"]))
    _work(settings, _accept(account, "four", "three-more"))
    with pytest.raises(Conflict, match="not empty"):
        backups.restore(settings, str(file))

    for name, value in fresh.to_env().items():
        monkeypatch.setenv(name, value)
    restore_command(str(file))

    states = Counter(state for (state,) in _rows(fresh, "intake", "SELECT state FROM deliveries"))
    in_the_log = settings.bus == fresh.bus and settings.bus.startswith("kafka")
    assert states.keys() == {"unknown"}, "whatever may have been sent waits for a person"
    subjects = Counter(subject for (subject,) in _rows(fresh, "tickets", "SELECT subject FROM tickets"))
    expected = ["one", "two", "three", *(["four", "three-more"] if in_the_log else [])]
    assert subjects == Counter(expected), "contacts of the log are applied once"
    if in_the_log:
        replies = _rows(
            fresh, "intake", f"SELECT count(*) FROM deliveries WHERE reply_id <> '' AND ticket_id = '{tickets['two']}'"
        )
        assert replies == [(1,)], "an answer asked for after the backup is held, not forgotten"
    _work(fresh, _accept(account, "five"))
    newest = _rows(fresh, "tickets", "SELECT max(rev) FROM interactions")[0][0]
    assert newest > EPOCH > last
    numbers = [number for (number,) in _rows(fresh, "tickets", "SELECT number FROM tickets")]
    assert len(set(numbers)) == len(expected) + 1


def test_an_embedded_installation_restored_sends_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data=tmp_path / "old", models=False)

    _scenario(settings, replace(settings, data=tmp_path / "new"), tmp_path, monkeypatch)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("log", ["the same log", "a new log"])
def test_a_distributed_installation_restored_sends_nothing_again_and_applies_the_log_once(
    log: str, made: Callable[[str], dict[str, str]], own_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def settings(name: str, folder: str) -> Settings:
        given = made(name)
        return Settings.from_env(given | {"ASCOLTO_DATA": str(tmp_path / folder), "ASCOLTO_MODELS": "0"})

    old, new = settings(own_name, "old"), settings(f"{own_name}r", "new")
    if log == "the same log":
        new = replace(new, bus=old.bus)

    _scenario(old, new, tmp_path, monkeypatch)


@pytest.fixture
def made(
    postgres_url: str, kafka_url: str, elasticsearch_url: str, s3_url: str
) -> Iterator[Callable[[str], dict[str, str]]]:
    """Backends of installations by name; their databases are dropped afterwards."""
    names = []

    def make(name: str) -> dict[str, str]:
        names.append(name)
        return backends(postgres_url, kafka_url, elasticsearch_url, s3_url, name)

    yield make
    with psycopg.connect(postgres_url, autocommit=True) as server:
        for service in SERVICES:
            for name in names:
                server.execute(f"DROP DATABASE IF EXISTS {name}_{service} WITH (FORCE)")
