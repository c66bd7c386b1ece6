"""What both transports of calls promise: subclass, give `channel(servicer)`."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import grpc
import pytest
from prometheus_client import CollectorRegistry

from ascolto.common.v1.envelope_pb2 import Empty
from ascolto.search.v1 import service_pb2 as pb
from ascolto.search.v1.service_pb2_grpc import SearchServicer, SearchStub
from services.kit.clock import ManualClock
from services.kit.db import guard as uow_guard
from services.kit.errors import Conflict, Forbidden, Internal, NotFound, Unauthenticated, Unavailable
from services.kit.principal import Person
from services.kit.rpc import Caller, Guard, person_of
from services.kit.rpc.guard import MAX_MESSAGE_BYTES, call_counter
from services.kit.secrets import Keys

READER = Person("usr_1", name="Elisa", permissions=frozenset({"search:read"}), brand_ids=frozenset({"brd_1"}))


class Servicer(SearchServicer):
    """Answers by the query's first word."""

    def __init__(self):
        self.seen = []
        self.release = threading.Event()
        self.onward = None  # asks another service

    def Find(self, request, context):
        self.seen.append(person_of(context))
        match request.query.partition(" ")[0]:
            case "missing":
                raise NotFound("There is no such thing.", field="id")
            case "stale":
                raise Conflict("Changed meanwhile.", detail=b"\x01\xff\x00now")
            case "broken":
                raise ValueError("secret detail")
            case "onward":
                return self.onward()
            case "slow":
                self.release.wait(5)
            case "large":
                return pb.FindResponse(degraded_reason="x" * (MAX_MESSAGE_BYTES + 1))
        return pb.FindResponse(total=len(request.query))

    def Rebuild(self, request, context):
        return pb.StatusResponse(state="ready")

    def Status(self, request, context):
        return pb.StatusResponse(state=person_of(context).user_id)


class RpcContract:
    """Subclass it."""

    keys = Keys(b"\x03" * 32)

    @pytest.fixture
    def clock(self):
        return ManualClock()

    @pytest.fixture
    def servicer(self):
        made = Servicer()
        yield made
        made.release.set()

    @pytest.fixture
    def stub(self, servicer, clock):
        guard = Guard(service="search", keys=self.keys, clock=clock, calls=call_counter(CollectorRegistry()))
        with self.channel(guard, servicer) as channel:
            yield SearchStub(channel)

    @pytest.fixture
    def caller(self, clock):
        return Caller(service="desk", keys=self.keys, clock=clock)

    def test_the_handler_knows_who_calls(self, stub, servicer, caller):
        assert caller.invoke(stub.Find, pb.FindRequest(query="ciao"), person=READER).total == 4
        assert servicer.seen == [READER]

    def test_a_service_calls_for_itself(self, stub, caller):
        assert caller.invoke(stub.Status, Empty()).state == "svc_desk"

    def test_an_error_arrives_as_it_was_raised(self, stub, caller):
        with pytest.raises(NotFound, match="no such thing") as missing:
            caller.invoke(stub.Find, pb.FindRequest(query="missing"), person=READER)
        with pytest.raises(Conflict) as stale:
            caller.invoke(stub.Find, pb.FindRequest(query="stale"), person=READER)

        assert missing.value.field == "id"
        assert stale.value.detail == b"\x01\xff\x00now"

    def test_a_defect_is_internal_and_tells_nothing(self, stub, caller):
        with pytest.raises(Internal) as failed:
            caller.invoke(stub.Find, pb.FindRequest(query="broken"), person=READER)

        assert "secret" not in failed.value.message

    def test_a_permission_that_is_missing_is_named(self, stub, caller):
        with pytest.raises(Forbidden, match="operations"):
            caller.invoke(stub.Rebuild, Empty(), person=READER)

    def test_a_call_without_an_assertion_is_nobodys(self, stub):
        with pytest.raises(grpc.RpcError) as refused:
            stub.Find(pb.FindRequest(query="ciao"), timeout=2)

        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED

    def test_an_assertion_under_another_key_is_refused(self, stub, clock):
        stranger = Caller(service="desk", keys=Keys(b"\x04" * 32), clock=clock)

        with pytest.raises(Unauthenticated):
            stranger.invoke(stub.Find, pb.FindRequest(query="ciao"), person=READER)

    def test_an_old_assertion_is_refused(self, stub, clock):
        class Stopped:
            def __init__(self, now):
                self._now = now

            def now(self):
                return self._now

            def monotonic(self):
                return 0.0

        late = Caller(service="desk", keys=self.keys, clock=Stopped(clock.now()))
        clock.advance(seconds=61)

        with pytest.raises(Unauthenticated, match="too old"):
            late.invoke(stub.Find, pb.FindRequest(query="ciao"), person=READER)

    def test_a_deadline_that_passed_is_unavailable_though_it_may_have_been_applied(self, stub, servicer, caller):
        caller.invoke(stub.Status, Empty(), timeout_s=5.0)  # connected: the time is the handler's alone
        threading.Timer(0.6, servicer.release.set).start()

        with pytest.raises(Unavailable):
            caller.invoke(stub.Find, pb.FindRequest(query="slow"), person=READER, timeout_s=0.3)

        assert servicer.seen == [READER]

    def test_a_request_over_the_limit_is_refused_and_a_long_answer_comes_whole(self, stub, caller):
        with pytest.raises(grpc.RpcError) as sent:
            request = pb.FindRequest(query="x" * (MAX_MESSAGE_BYTES + 1))
            stub.Find(request, timeout=5, metadata=[("ascolto-person-bin", caller._signer.sign(READER))])

        found = caller.invoke(stub.Find, pb.FindRequest(query="large"), person=READER, timeout_s=5.0)

        assert sent.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert len(found.degraded_reason) == MAX_MESSAGE_BYTES + 1

    def test_calls_that_call_on_finish_though_each_service_has_two_threads(self, servicer, clock):
        """Three services in a row, eight calls at once: whoever waited for a thread of its own caller would never end."""
        servicers = [servicer, Servicer(), Servicer()]
        caller, answers = Caller(service="desk", keys=self.keys, clock=clock), []
        with ExitStack() as stack:
            guards = [
                Guard(service="search", keys=self.keys, clock=clock, calls=call_counter(CollectorRegistry()))
                for _ in servicers
            ]
            first, second, third = (
                SearchStub(stack.enter_context(self.channel(*one))) for one in zip(guards, servicers, strict=True)
            )

            def ask(stub, query):
                return caller.invoke(stub.Find, pb.FindRequest(query=query), person=READER, timeout_s=10.0)

            servicers[0].onward = lambda: ask(second, "onward")
            servicers[1].onward = lambda: ask(third, "end")
            threads = [threading.Thread(target=lambda: answers.append(ask(first, "onward").total)) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(20)

        assert answers == [3] * 8

    def test_a_call_inside_a_transaction_is_refused(self, stub, caller):
        uow_guard.enter("tickets")
        try:
            with pytest.raises(Internal, match="inside a transaction"):
                caller.invoke(stub.Find, pb.FindRequest(query="ciao"), person=READER)
        finally:
            uow_guard.leave()
