"""What operators ask of an installation from the command line: replay, reindex.

Works on an `Application`, running or only opened; speaks to services by their calls alone.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ascolto.common.v1 import envelope_pb2, operations_pb2
from ascolto.common.v1.operations_pb2_grpc import OperationsStub
from ascolto.search.v1.service_pb2_grpc import SearchStub
from services.kit.control import Progress
from services.kit.errors import Unavailable
from services.kit.rpc.caller import Caller

if TYPE_CHECKING:
    from services.kit.application import Application

_REBUILD_S = 24 * 3600


def replay(
    app: Application, progress: Progress, *, ids: list[str], everything: bool, listing: bool, confirmed: bool
) -> list[dict[str, Any]]:
    """Lists dead letters, or has them handled again by their own group; one entry a letter."""
    caller = Caller(service="kit", keys=app.keys, clock=app.clock)
    found: list[dict[str, Any]] = []
    for done, service in enumerate(app.services):
        progress(done / len(app.services), f"Asking {service}")
        stub = OperationsStub(app.channels[service])
        if listing:
            request = operations_pb2.ListDeadLettersRequest(page=envelope_pb2.Page(limit=200))
            letters = caller.invoke(stub.ListDeadLetters, request, timeout_s=10).items
            found += [{"id": one.id, "group": one.group, "kind": one.kind, "reason": one.reason} for one in letters]
            continue
        asked = operations_pb2.ReplayDeadLettersRequest(ids=ids, all=everything, confirmed=confirmed)
        results = caller.invoke(stub.ReplayDeadLetters, asked, timeout_s=600).results
        found += [{"id": one.id, "ok": one.ok, "detail": one.detail} for one in results]
    return found


def reindex(app: Application, progress: Progress) -> dict[str, Any]:
    """Rebuilds the search index beside the live one and waits until it is switched."""
    caller = Caller(service="kit", keys=app.keys, clock=app.clock)
    stub = SearchStub(app.channels["search"])
    before = caller.invoke(stub.Rebuild, envelope_pb2.Empty(), timeout_s=10)
    until = time.monotonic() + _REBUILD_S
    while time.monotonic() < until:
        status = caller.invoke(stub.Status, envelope_pb2.Empty(), timeout_s=10)
        if status.state != "rebuilding" and status.generation != before.generation:
            return {"documents": status.documents, "generation": status.generation}
        if status.state not in {"rebuilding", "ready", "catching_up"}:
            raise Unavailable(f"The rebuild stopped: {status.last_error or status.state}.")
        progress(status.rebuild_done, f"{status.rebuild_documents} of {status.rebuild_total} documents")
        time.sleep(0.2)
    raise Unavailable("The rebuild did not end within a day; the index in use is untouched.")
