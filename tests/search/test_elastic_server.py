"""What is made of each answer of Elasticsearch: sent again, done, refused or away. No server is needed for these."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator

import pytest

from services.kit.errors import Internal, Invalid, Unavailable
from services.search.index.analysis import Analysis
from services.search.index.elastic.server import Server
from services.search.index.elastic.writing import lines
from services.search.ports import IndexDamaged
from tests.contracts.index import document
from tests.search.elastic_stub import Answer, Handler, Stub, ids_of

Given = Callable[[Handler], tuple[Stub, Server]]
BUSY = {"type": "es_rejected_execution_exception", "reason": "queue is full"}
NEWER = {"type": "version_conflict_engine_exception", "reason": "current version [7] is higher"}
UNREADABLE = {
    "type": "document_parsing_exception",
    "reason": "failed to parse field [at] of type [long]. Preview of field's value: 'Anna Rossi'",
}


@pytest.fixture
def given() -> Iterator[Given]:
    """`given(handler)`: a server that answers so, and what asks it."""
    stubs: list[Stub] = []

    def make(handler: Handler) -> tuple[Stub, Server]:
        stubs.append(Stub(handler))
        return stubs[-1], Server(f"elasticsearch://{stubs[-1].address}/x", pauses_s=(0.001, 0.001, 0.001))

    yield make
    for stub in stubs:
        stub.close()


def items(*names: str) -> list[tuple[str, bytes]]:
    analysis = Analysis()
    return [(f"int_{name}", lines(document(name, "pacco"), analysis)) for name in names]


def bulk_answer(body: bytes, *, failing: dict[str, tuple[int, dict[str, str]]]) -> Answer:
    found = []
    for id_ in ids_of(body):
        status, error = failing.get(id_, (201, {}))
        found.append({"index": {"status": status} | ({"error": error} if error else {})})
    return 200, {"errors": bool(failing), "items": found}


def test_only_the_items_the_server_was_too_busy_for_are_sent_again(given: Given) -> None:
    busy = [{"int_b": (429, BUSY), "int_c": (503, BUSY)}, {"int_c": (429, BUSY)}, {}]
    stub, server = given(lambda _method, _path, body: bulk_answer(body, failing=busy.pop(0)))

    refused = server.bulk("x-1-write", items("a", "b", "c", "d"))

    sent = [ids_of(body) for _, _, body in stub.requests]
    assert sent == [["int_a", "int_b", "int_c", "int_d"], ["int_b", "int_c"], ["int_c"]]
    assert refused == {}


def test_what_the_server_has_newer_is_done(given: Given) -> None:
    stub, server = given(lambda _method, _path, body: bulk_answer(body, failing={"int_a": (409, NEWER)}))

    assert server.bulk("x-1-write", items("a", "b")) == {}
    assert len(stub.requests) == 1


def test_a_document_that_cannot_be_read_is_told_and_the_others_stay_and_nothing_of_it_is_quoted(given: Given) -> None:
    stub, server = given(lambda _method, _path, body: bulk_answer(body, failing={"int_b": (400, UNREADABLE)}))

    refused = server.bulk("x-1-write", items("a", "b", "c"))

    assert refused == {"int_b": "document_parsing_exception: failed to parse field [at] of type [long]"}
    assert len(stub.requests) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_stays_busy_is_unavailable_after_some_tries(given: Given, status: int) -> None:
    stub, server = given(lambda *_: (status, {"error": BUSY, "status": status}))

    with pytest.raises(Unavailable, match="busy"):
        server.bulk("x-1-write", items("a"))

    assert len(stub.requests) == 4


def test_a_late_write_to_a_generation_that_is_gone_makes_no_index(given: Given) -> None:
    gone = {"type": "index_not_found_exception", "reason": "no such index [x-1-write]"}
    stub, server = given(lambda _method, _path, body: bulk_answer(body, failing={"int_a": (404, gone)}))

    with pytest.raises(IndexDamaged):
        server.bulk("x-1-write", items("a"))

    assert "require_alias=true" in stub.requests[0][1]


@pytest.mark.parametrize(
    "answer",
    [
        (200, {"responses": [{"timed_out": True, "_shards": {"failed": 0}, "hits": {"hits": []}}]}),
        (200, {"responses": [{"timed_out": False, "_shards": {"failed": 1}, "hits": {"hits": []}}]}),
        (200, {"responses": [{"error": {"type": "search_phase_execution_exception"}, "status": 503}]}),
        (200, {"responses": [{"error": {"root_cause": [{"type": "too_many_nested_clauses"}]}, "status": 400}]}),
        (400, {"error": {"type": "x_content_parse_exception"}, "status": 400}),
        (429, {"error": BUSY, "status": 429}),
        (401, {"error": {"type": "security_exception"}, "status": 401}),
        None,
    ],
)
def test_no_search_is_answered_in_part_or_with_an_error_of_the_query(given: Given, answer: Answer) -> None:
    _, server = given(lambda *_: answer)

    with pytest.raises(Unavailable):
        server.search("x", [{"query": {"match_all": {}}}])


def test_a_search_of_an_index_that_is_not_there_says_so(given: Given) -> None:
    gone = {"error": {"root_cause": [{"type": "index_not_found_exception"}]}, "status": 404}
    _, server = given(lambda *_: (200, {"responses": [gone]}))

    with pytest.raises(IndexDamaged):
        server.search("x", [{"query": {"match_all": {}}}])


def test_after_no_answer_nobody_else_waits_for_a_moment(given: Given) -> None:
    stub, server = given(lambda *_: None)

    for _ in range(3):
        with pytest.raises(Unavailable):
            server.search("x", [{"query": {"match_all": {}}}])

    assert len(stub.requests) == 1


def test_what_the_server_refuses_to_do_is_a_defect_of_ours(given: Given) -> None:
    _, server = given(lambda *_: (400, {"error": {"type": "mapper_parsing_exception"}, "status": 400}))

    with pytest.raises(Internal, match="mapper_parsing_exception"):
        server.ask("PUT", "/x-1", {})


def test_the_user_and_password_of_the_setting_are_sent(given: Given) -> None:
    stub, _ = given(lambda *_: (200, {}))

    Server(f"elasticsearch://search:p%40ss@{stub.address}/x").ask("GET", "/x-*/_alias")

    assert stub.authorized_by == "Basic " + base64.b64encode(b"search:p@ss").decode()


@pytest.mark.parametrize(
    "url",
    [
        "elasticsearch:///x",
        "elasticsearch://host:port/x",
        "elasticsearch://host/Capital",
        "elasticsearch://host/a/b",
        "elasticsearch://host/x?shard=3",
        "elasticsearch://host/x?shards=many",
    ],
)
def test_a_setting_that_cannot_be_read_says_how_to_write_it(url: str) -> None:
    with pytest.raises(Invalid, match="elasticsearch://user:password@host:9200") as caught:
        Server(url)

    assert caught.value.field == "ASCOLTO_INDEX"
