"""The index away, busy, half failing, in other hands: tickets are untouched, search says so, and all comes right."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ascolto.tickets.v1 import events_pb2 as pb
from services.kit import topics
from services.kit.errors import Unavailable
from services.search.index.elastic import ElasticEngine
from services.search.ports import IndexDamaged, Page
from services.search.usecases.apply import Work
from services.search.usecases.suggest import suggest
from tests.real import elastic
from tests.search.elastic_stub import Answer, Stub, ids_of, passed_on
from tests.search.test_index_order import REASONS, act
from tests.search.test_index_order import copy as copied
from tests.search.world import PERSON, World

make_engine, make_world, search_template, world = (
    elastic.make_engine,
    elastic.make_world,
    elastic.search_template,
    elastic.world,
)
pytestmark = pytest.mark.timeout(300)
BUSY = {"type": "es_rejected_execution_exception", "reason": "queue is full"}


@pytest.fixture
def proxied(tmp_path: Path, search_template: Path) -> Iterator[tuple[World, Stub]]:
    """Search whose index is behind a proxy, with five messages in it."""
    prefix = elastic.fresh_prefix()
    proxy = Stub(passed_on(urlsplit(elastic.url_of(prefix)).netloc))
    engine = ElasticEngine(elastic.url_of(prefix, host=proxy.address), Path())
    made = World(tmp_path, search_template, engine).ready()
    for number in range(5):
        made.say(f"tkt_{number}", f"pacco numero{number}")
    made.indexer.run_once()
    proxy.requests.clear()
    passing = proxy.handler
    yield made, proxy
    proxy.handler = passing
    made.stop()
    for number in engine.existing():
        engine.discard(number)
    proxy.close()


def wait_for_the_index(world: World) -> None:
    """As long as searches give a server a rest that did not answer."""
    engine = world.engine
    assert isinstance(engine, ElasticEngine)
    engine.server._away_until = 0.0


@pytest.mark.parametrize("answer", [None, (503, {"error": BUSY, "status": 503}), (429, {"error": BUSY, "status": 429})])
def test_with_the_index_away_search_says_so_and_shows_the_store_and_catches_up_alone(
    proxied: tuple[World, Stub], answer: Answer
) -> None:
    world, proxy = proxied
    passing, proxy.handler = proxy.handler, lambda *_: answer
    world.say("tkt_late", "pacco arrivato intanto")

    with pytest.raises(Unavailable):
        world.indexer.run_once()
    meanwhile = world.find("pacco")
    completions = suggest(world.generations, "canale:", 7, person=PERSON, language="it")
    proxy.handler = passing
    wait_for_the_index(world)
    world.indexer.run_once()

    assert "non risponde" in meanwhile.degraded_reason or "does not answer" in meanwhile.degraded_reason
    assert meanwhile.found.total == 6
    assert completions == []
    assert world.find("pacco").degraded_reason == ""
    assert world.indexed() == world.owner.expected()


def test_a_search_that_is_refused_in_the_middle_is_answered_from_the_store(proxied: tuple[World, Stub]) -> None:
    world, proxy = proxied
    passing = proxy.handler
    searches = iter(range(100))

    def one_refused(method: str, path: str, body: bytes) -> Answer:
        if "_msearch" in path and next(searches) == 1:
            return 200, {"responses": [{"error": {"type": "es_rejected_execution_exception"}, "status": 429}]}
        return passing(method, path, body)

    proxy.handler = one_refused

    assert world.find("pacco").degraded_reason
    assert world.find("pacco").degraded_reason == ""


def test_of_a_half_failing_bulk_only_what_failed_is_sent_again(proxied: tuple[World, Stub]) -> None:
    world, proxy = proxied
    passing = proxy.handler
    bulks: list[list[str]] = []

    def half(method: str, path: str, body: bytes) -> Answer:
        if "_bulk" not in path:
            return passing(method, path, body)
        bulks.append(ids_of(body))
        lines = body.splitlines(keepends=True)
        if len(bulks) > 2:
            return passing(method, path, body)
        taken = (len(lines) // 4) * 2
        answer = passing(method, path, b"".join(lines[:taken]))
        assert answer is not None
        busy = [{"index": {"status": 429, "error": BUSY}}] * ((len(lines) - taken) // 2)
        return 200, {"errors": True, "items": [*answer[1].get("items", []), *busy]}

    proxy.handler = half
    for number in range(8):
        world.say(f"tkt_{number + 10}", "reso")
    world.indexer.run_once()

    first, second, third = bulks[:3]
    assert len(first) == 16
    assert second == first[8:]
    assert third == second[4:]
    assert world.indexed() == world.owner.expected()


def test_an_event_whose_document_the_index_never_takes_is_parked_and_the_rest_goes_on(
    proxied: tuple[World, Stub],
) -> None:
    world, proxy = proxied
    passing = proxy.handler
    bad = world.say("tkt_bad", "illeggibile")
    good = world.say("tkt_good", "leggibile")

    def refusing(method: str, path: str, body: bytes) -> Answer:
        answer = passing(method, path, body)
        if "_bulk" in path and answer is not None:
            parsing = {"type": "document_parsing_exception", "reason": "failed to parse field [at] of type [long]"}
            results = answer[1].get("items") or [{"index": {"status": 200}} for _ in ids_of(body)]
            for id_, result in zip(ids_of(body), results, strict=True):
                if id_ == bad:
                    result["index"] = {"status": 400, "error": parsing}
            return 200, {"errors": True, "items": results}
        return answer

    proxy.handler = refusing
    world.indexer.run_once()

    with world.database.read() as reader:
        reasons = [str(row[0]) for row in reader.rows(REASONS)]
    assert reasons == ["internal"]
    assert good in {row.document.id for row in world.find("leggibile").found.rows}
    assert world.indexer.run_once() == 0


def test_an_older_write_that_comes_late_changes_nothing_not_even_what_is_gone(world: World) -> None:
    world.ready()
    kept, gone = world.say("tkt_a", "prima"), world.say("tkt_a", "andrà via")
    world.indexer.run_once()
    live = world.generations.live
    assert live is not None
    late = live.sources([kept, gone])
    for id_, text in ((kept, "seconda"), (gone, "")):
        interaction = world.owner.interactions[id_]
        interaction.text, interaction.deleted, interaction.rev = text, not text, world.owner.next_rev()
        event = pb.InteractionChanged(interaction=interaction, ticket=world.owner.tickets["tkt_a"])
        world.log.append(topics.TICKETS, event)
    world.indexer.run_once()

    live.write(late)
    live.commit()

    assert world.indexed() == world.owner.expected()


def test_tombstones_are_forgotten_when_no_older_write_can_come_any_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.ready()
    gone = world.say("tkt_a", "andrà via")
    world.indexer.run_once()
    interaction = world.owner.interactions[gone]
    interaction.text, interaction.deleted, interaction.rev = "", True, world.owner.next_rev()
    world.log.append(
        topics.TICKETS, pb.InteractionChanged(interaction=interaction, ticket=world.owner.tickets["tkt_a"])
    )
    world.indexer.run_once()
    live, engine = world.generations.live, world.engine
    assert live is not None
    assert isinstance(engine, ElasticEngine)

    def tombstones() -> int:
        (answer,) = engine.server.search(engine.server.prefix, [{"query": {"exists": {"field": "gone"}}, "size": 0}])
        return int(answer["hits"]["total"]["value"])

    live.check(most_bytes=0)
    live.commit()
    young = tombstones()
    monkeypatch.setattr("services.search.index.elastic._TOMBSTONES_KEPT_US", -1)
    live.__dict__["_purge_at"] = 0.0
    live.check(most_bytes=0)
    live.commit()

    assert (young, tombstones()) == (1, 0)
    assert world.indexed() == world.owner.expected()


class Died(Exception):
    """Stands for the end of the process."""


def test_a_rebuild_whose_process_dies_is_ended_by_another_and_searches_go_on(world: World) -> None:
    world.ready()
    other = world.beside()
    other.generations.open()
    for number in range(20):
        world.say(f"tkt_{number}", "pacco")
    world.indexer.run_once()
    pages = iter(range(1000))

    def die() -> None:
        if next(pages) == 9:
            raise Died

    release = world.rebuilder.leases.release
    world.owner.after_page = die
    world.rebuilder.leases.release = lambda _lease: None  # type: ignore[method-assign]  # a dead process releases nothing
    with pytest.raises(Died):
        world.rebuilder.run_once()
    world.rebuilder.leases.release = release  # type: ignore[method-assign]  # as above
    world.owner.after_page = None
    held = other.rebuilder.run_once()
    world.clock.advance(seconds=61)
    begun = next(pages)
    other.generations.refresh()
    assert other.generations.under_way is not None
    done = dict(other.generations.under_way.cursors)

    finished = other.rebuilder.run_once()

    assert not held, "the lease of the dead process still holds"
    assert finished
    assert begun > 9
    assert done.get("tickets") == -1, "what was scanned before is not scanned again"
    for each in (world, other):  # the first has not heard of the new generation
        answer = each.find("pacco")
        assert (answer.found.total, answer.degraded_reason) == (20, "")
    world.say("tkt_new", "pacco nuovo")
    world.indexer.run_once()
    assert world.engine.existing() == {2}
    assert world.find("pacco").found.total == 21
    assert world.indexed() == world.owner.expected()


def test_a_generation_another_process_took_away_is_not_called_damaged(world: World) -> None:
    world.ready()
    other = world.beside()
    other.generations.open()
    world.say("tkt_1", "pacco")
    world.indexer.run_once()
    old = other.generations.live
    assert old is not None

    world.rebuilder.run_once()
    with pytest.raises(IndexDamaged):
        old.write(list(world.owner.expected().values()))
    other.generations.give_up(old, IndexDamaged("it is gone"))

    assert other.generations.damaged == ""
    assert other.generations.live is not None
    assert other.find("pacco").found.total == 1
    assert world.engine.existing() == {2}


def test_facts_another_process_stores_while_a_message_is_written_reach_the_message(world: World) -> None:
    world.ready()
    other = world.beside()
    other.generations.open()
    world.say("tkt_a", "pacco")
    write = world.generations.write

    def meanwhile(work: Work, **more: bool) -> dict[str, str]:
        """The message is in the index, and no stored version tells of it yet."""
        refused = write(work, **more)
        world.generations.write = write  # type: ignore[method-assign]  # once
        ticket = world.owner.tickets["tkt_a"]
        ticket.state, ticket.rev = pb.STATE_SOLVED, world.owner.next_rev()
        other.log.append(topics.TICKETS, pb.TicketChanged(ticket=ticket))
        other.indexer.run_once()
        return refused

    world.generations.write = meanwhile  # type: ignore[method-assign]  # the same, with the other after it
    world.indexer.run_once()

    assert world.indexed() == world.owner.expected()


def between(one: World, other: World, dice: random.Random) -> None:
    """Lets the other process work before and after each write of the first, which knows nothing of it."""
    write = one.generations.write
    busy = [False]

    def interrupted(work: Work, **more: bool) -> dict[str, str]:
        if dice.random() < 0.5 and not busy[0]:
            busy[0] = True
            other.indexer.run_once()
            busy[0] = False
        refused = write(work, **more)
        if dice.random() < 0.5 and not busy[0]:
            busy[0] = True
            other.indexer.run_once()
            busy[0] = False
        return refused

    one.generations.write = interrupted  # type: ignore[method-assign]  # the same, with the other in between


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    acts=st.lists(
        st.sampled_from(("create", "create", "edit", "facts", "facts", "move", "delete", "customer")),
        min_size=5,
        max_size=25,
    ),
    seed=st.integers(0, 10_000),
    rebuild_at=st.integers(0, 25),
)
def test_two_processes_that_write_in_between_one_another_end_in_the_owners_documents(
    make_world: Callable[[Path], World],
    tmp_path_factory: pytest.TempPathFactory,
    acts: list[str],
    seed: int,
    rebuild_at: int,
) -> None:
    dice = random.Random(seed)
    one = make_world(tmp_path_factory.mktemp("two")).ready()
    other = one.beside()
    other.generations.open()
    between(one, other, dice)

    def tell(events: list[tuple[str, Message]]) -> None:
        """To one of the two by chance, as after a hand-over: they tell of the same tickets, in no order."""
        for topic, message in events:
            dice.choice((one, other)).log.append(topic, message)

    for place, name in enumerate(acts):
        tell(copied(act(one, name, dice)))
        if place == rebuild_at:
            read = one.owner.scan

            def scan(what: str, after_rev: int, limit: int, read: Callable[..., Page] = read) -> Page:
                page = read(what, after_rev, limit)
                tell(copied(act(one, dice.choice(("create", "edit", "delete", "facts", "move")), dice)))
                return page

            one.owner.scan = scan  # type: ignore[method-assign]  # the same pages, with changes after each
            one.rebuilder.run_once()
            one.owner.scan = read  # type: ignore[method-assign]  # as it was
        if dice.random() < 0.4:
            one.indexer.run_once()
    one.indexer.run_once()
    other.indexer.run_once()
    one.indexer.run_once()

    assert one.indexed() == one.owner.expected()
    one.stop()
