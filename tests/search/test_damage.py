"""Scenario 8: files of the index changed or deleted. It is found, search goes on from the store, the index is rebuilt."""

from __future__ import annotations

import random
import shutil
import threading
from pathlib import Path

import pytest

from services.kit.db.sql import Sql
from services.kit.errors import Unavailable
from services.search.domain.document import Document
from services.search.index.local import LocalEngine, LocalIndex
from services.search.index.local.reading import Reading
from services.search.ports import IndexDamaged, Plan
from services.search.usecases.apply import Work
from services.search.usecases.watch import Watcher
from tests.search.world import World


class PanicException(BaseException):
    """As the engine's bindings raise it: no `Exception`."""


EARLIER = Sql("UPDATE generations SET schema = schema - 1")
PARTS = (".idx", ".pos", ".term", ".store", ".fast", ".fieldnorm")


def fill(world: World, count: int = 60) -> World:
    world.ready()
    for number in range(count):
        world.say(f"tkt_{number}", f"pacco danneggiato numero{number} con parole diverse {number * 7}")
    world.indexer.run_once()
    Watcher(world.generations).check(whole=True)
    return world


def segment_files(world: World, part: str) -> list[Path]:
    assert world.generations.generation is not None
    assert isinstance(world.engine, LocalEngine)
    return sorted(world.engine.path(world.generations.generation.id).glob(f"*{part}"))


def flip(path: Path, dice: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[dice.randrange(len(data))] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize("part", PARTS)
def test_a_flipped_byte_is_found_and_the_index_rebuilt(world: World, part: str) -> None:
    fill(world)
    flip(segment_files(world, part)[0], random.Random(8))

    whole = Watcher(world.generations).check(whole=True)
    meanwhile = world.find("pacco danneggiato")
    world.rebuilder.run_once()

    assert not whole
    assert meanwhile.degraded_reason
    assert meanwhile.found.total == 60
    assert world.find("pacco danneggiato").degraded_reason == ""
    assert world.indexed() == world.owner.expected()


@pytest.mark.parametrize("part", [".idx", ".store", ".term", "meta.json"])
def test_a_file_deleted_while_stopped_is_found_at_the_start(world: World, part: str) -> None:
    fill(world)
    paths = segment_files(world, part)
    world.stop()
    for path in paths:
        path.unlink()
    world.start()

    answer = world.find("pacco")
    world.rebuilder.run_once()

    assert answer.degraded_reason
    assert answer.found.total == 60
    assert world.indexed() == world.owner.expected()


def test_the_whole_index_deleted_is_built_again(world: World) -> None:
    fill(world)
    folder = segment_files(world, "meta.json")[0].parent
    world.stop()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    world.start()

    assert world.find("pacco").degraded_reason
    world.rebuilder.run_once()

    assert world.indexed() == world.owner.expected()


def test_events_that_arrive_while_there_is_no_index_are_in_the_next_one(world: World) -> None:
    fill(world, 5)
    assert world.generations.live is not None
    world.generations.give_up(world.generations.live, IndexDamaged("for the test"))
    world.say("tkt_late", "arrivato intanto")
    world.indexer.run_once()

    world.rebuilder.run_once()

    assert world.find("intanto").found.total == 1
    assert world.indexed() == world.owner.expected()


def test_a_panic_of_the_engine_is_an_answer_not_a_crash(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(world, 5)
    index = world.generations.live
    assert index is not None

    def panic(_self: object, _plan: Plan) -> None:
        raise PanicException("index out of bounds")

    monkeypatch.setattr(Reading, "find", panic)
    answer = world.find("pacco")

    assert answer.degraded_reason
    assert answer.found.total == 5
    assert world.generations.live is None
    assert world.generations.wanted.is_set()


def test_without_index_and_without_store_search_says_so_and_raises_nothing(world: World) -> None:
    world.owner.away = True

    answer = world.find("pacco")

    assert answer.degraded_reason
    assert answer.found.total == 0


def test_a_rebuild_goes_on_after_a_restart_and_the_old_index_answers_meanwhile(world: World) -> None:
    fill(world, 40)
    stop = threading.Event()
    pages = [0]

    def count() -> None:
        pages[0] += 1
        if pages[0] == 25:
            stop.set()

    world.owner.after_page = count
    finished = world.rebuilder.run_once(stop)
    answered = world.find("pacco").found.total
    world.restart()
    world.generations.open()
    assert world.generations.under_way is not None
    done = dict(world.generations.under_way.cursors)
    first = pages[0]
    world.rebuilder.run_once()

    assert not finished
    assert answered == 40
    assert done.get("tickets") == -1, "what was scanned before the restart is not scanned again"
    assert pages[0] - first < first
    assert world.indexed() == world.owner.expected()


def test_owners_that_are_away_delay_a_rebuild_and_nothing_else(world: World) -> None:
    fill(world, 3)
    world.owner.away = True

    with pytest.raises(Unavailable):
        world.rebuilder.run_once()

    assert world.find("pacco").found.total == 3
    world.owner.away = False
    assert world.rebuilder.run_once()


def test_what_an_owner_gave_before_it_went_away_is_not_asked_for_again(world: World) -> None:
    fill(world, 40)
    pages = [0]

    def count() -> None:
        pages[0] += 1
        world.owner.away = pages[0] == 25

    world.owner.after_page = count
    with pytest.raises(Unavailable):
        world.rebuilder.run_once()
    world.restart()
    world.owner.away = False
    first = pages[0]
    world.rebuilder.run_once()

    assert pages[0] - first < first
    assert world.indexed() == world.owner.expected()


class FullDisk:
    """A writer whose disk is full."""

    def delete_documents_by_term(self, field: str, value: str) -> None:
        return

    def add_document(self, document: object) -> None:
        raise ValueError("An index writer was killed.")


def test_a_full_disk_pauses_indexing_and_costs_neither_the_index_nor_an_event(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(world, 3)
    index = world.generations.live
    assert isinstance(index, LocalIndex)
    full = shutil.disk_usage(world.folder)._replace(free=0)
    index._writer = FullDisk()  # type: ignore[assignment]  # stands in for the engine's
    world.say("tkt_new", "scritto a disco pieno")
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _path: full)
        with pytest.raises(Unavailable):
            world.indexer.run_once()

        assert world.find("pacco").found.total == 3
        assert world.generations.live is index

    world.indexer.run_once()
    assert world.find("disco pieno").found.total == 1
    assert world.indexed() == world.owner.expected()


def test_pages_of_a_rebuild_that_a_full_disk_took_are_read_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(world, 40)
    full = shutil.disk_usage(world.folder)._replace(free=0)
    pages = [0]

    def fail_at_the_20th() -> None:
        pages[0] += 1
        if pages[0] != 20:
            return
        index = world.generations.building
        assert isinstance(index, LocalIndex)
        with monkeypatch.context() as patched, world.generations.lock:
            patched.setattr(shutil, "disk_usage", lambda _path: full)
            index._writer = FullDisk()  # type: ignore[assignment]  # what it held is gone
            gone = Document("int_gone", "message", 1, deleted=True)
            with pytest.raises(Unavailable):
                world.generations.write(Work([gone]), only_building=True)

    world.owner.after_page = fail_at_the_20th
    with pytest.raises(Unavailable):
        world.rebuilder.run_once()
    world.rebuilder.run_once()

    assert world.indexed() == world.owner.expected()


def test_an_index_of_an_earlier_version_is_built_anew_and_is_not_called_damaged(world: World) -> None:
    fill(world, 5)
    world.database.write(lambda uow: uow.execute(EARLIER))
    world.restart()

    meanwhile = world.find("pacco")
    world.rebuilder.run_once()

    assert meanwhile.degraded_reason
    assert meanwhile.found.total == 5
    assert not world.generations.damaged
    assert not world.generations.last_error
    assert world.indexed() == world.owner.expected()
