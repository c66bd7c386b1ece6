"""Sources: what is read, in which order it is passed over, what happens when reading fails."""

from __future__ import annotations

import json

import pytest

from services.demo.world import World
from services.demo.x import Author
from services.kit.egress import Egress
from services.kit.errors import Unavailable
from services.social.listening import Deps, Reader
from services.social.sources import Refused, Told, kind
from services.social.store import config
from services.social.store.config import SourceRow, Watch
from services.social.usecases.ingest import Taken
from services.social.usecases.watching import Watching, compile_watches
from tests.kitlib import wait_until

ANNA = Author("7", "anna", "Anna", 10)
LINE = {"external_id": "1", "author": {"handle": "anna"}, "text": "Lumaca", "occurred_at": "2026-03-01T10:00:00Z"}


@pytest.fixture
def world():
    made = World()
    made.start()
    yield made
    made.stop()


def told_of_x(world):
    settings = {"base_url": world.url, "allow_hosts": "127.0.0.1"}
    return Told(settings, {"bearer_token": world.x.token}, Egress())


def told_of_file(path):
    return Told({"file": str(path)}, {}, Egress())


def test_a_gap_of_more_posts_than_one_read_takes_is_read_whole(world):
    first = world.x.post(ANNA, "Lumaca prima")
    wanted = {world.x.post(ANNA, f"Lumaca {number}").id for number in range(2350)}
    read, cursor, reads = set(), first.id, 0

    while True:
        batch = kind("x").poll(told_of_x(world), cursor, ["lumaca"])
        read |= {post.external_id for post in batch.posts}
        cursor, reads = batch.cursor, reads + 1
        if not batch.more:
            break

    assert read == wanted
    assert reads == 3
    assert cursor == max(wanted, key=int)
    assert kind("x").poll(told_of_x(world), cursor, ["lumaca"]).posts == []


def test_x_says_when_no_watch_can_be_asked_of_it(world):
    with pytest.raises(Refused, match="No watch"):
        kind("x").poll(told_of_x(world), "", [])


def test_a_feed_is_read_for_watches_that_x_cannot_be_asked_for():
    watch = Watch(id="wat_1", name="feeds", brand_id="brd_1", query="lumac* source:rss", source_ids=("src_1",))

    compiled = compile_watches([watch])

    assert compiled.rules("src_1") == []
    assert compiled.reads("src_1")
    assert not compiled.reads("src_2")


def test_lines_before_one_that_is_no_mention_are_taken_and_it_is_named(tmp_path):
    path = tmp_path / "mentions.jsonl"
    path.write_text(json.dumps(LINE) + "\n" + json.dumps(LINE | {"occurred_at": "2026-03-01T10:00:00"}) + "\n")

    batch = kind("replay").poll(told_of_file(path), "", [])

    assert [post.external_id for post in batch.posts] == ["1"]
    with pytest.raises(Refused, match="time zone"):
        kind("replay").poll(told_of_file(path), batch.cursor, [])


def test_a_file_that_was_begun_anew_is_read_from_its_start(tmp_path):
    path = tmp_path / "mentions.jsonl"
    path.write_text((json.dumps(LINE) + "\n") * 3)
    cursor = kind("replay").poll(told_of_file(path), "", []).cursor
    path.write_text(json.dumps(LINE | {"external_id": "2"}) + "\n")

    batch = kind("replay").poll(told_of_file(path), cursor, [])

    assert [post.external_id for post in batch.posts] == ["2"]


class _AwayLeases:
    """Leases whose database is away."""

    def take(self, name: str, holder: str, *, seconds: float) -> None:
        raise Unavailable("The disk is full.")


def test_a_reader_whose_database_is_away_shows_it_and_lives_on(social):
    parts = social.parts
    row = SourceRow(id="src_1", kind="replay", name="file")
    parts.database.write(lambda uow: config.put_source(uow, row))
    deps = Deps(
        parts.database, social.clock, parts.secrets, parts.egress, _AwayLeases(), Watching(parts.database), None, "me"
    )
    reader = Reader(row, deps)
    reader.thread.start()

    def state():
        with parts.database.read() as database:
            return config.find_source(database, "src_1").state

    wait_until(lambda: state() == "failing")
    assert reader.thread.is_alive()
    reader.stop()
    reader.thread.join(5)


def test_what_can_no_longer_be_read_is_a_gap(social):
    row = SourceRow(id="src_1", kind="replay", name="file", last_success_us=1_000_000)
    social.parts.database.write(lambda uow: config.put_source(uow, row))
    ingest = social.service.workers[0]._deps.ingest  # the supervisor's, as its readers call it

    taken: list[Taken] = ingest(row, [], cursor="9", lost=True)

    assert taken == []
    with social.parts.database.read() as reader:
        gaps = config.list_gaps(reader, [row], 0)
    assert [(gap.from_us, gap.until_us) for gap in gaps] == [(1_000_000, int(social.clock.now().timestamp() * 1e6))]


def test_a_feeds_marks_of_age_are_not_sent_to_another_feed():
    class Recording(Egress):
        def __init__(self):
            super().__init__()
            self.asked = []

        def request(self, method, url, *, headers=None, **more):
            self.asked.append(headers)
            raise Unavailable("recorded")

    egress = Recording()
    cursor = json.dumps({"url": "https://one.example/feed", "etag": '"a"', "modified": ""})
    for url in ("https://one.example/feed", "https://two.example/feed"):
        with pytest.raises(Unavailable):
            kind("rss").poll(Told({"url": url}, {}, egress), cursor, [])

    assert ["if-none-match" in headers for headers in egress.asked] == [True, False]
