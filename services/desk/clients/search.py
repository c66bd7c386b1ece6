"""Calls to search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ascolto.common.v1 import envelope_pb2 as common
from ascolto.search.v1 import service_pb2 as pb
from ascolto.search.v1 import service_pb2_grpc as rpc
from services.desk.clients.base import Client

if TYPE_CHECKING:
    import grpc

    from services.kit.principal import Person
    from services.kit.rpc import Caller


class SearchClient(Client):
    """Typed calls; each raises the service's own error."""

    def __init__(self, caller: Caller, channel: grpc.Channel) -> None:
        super().__init__(caller, channel)
        self._stub = rpc.SearchStub(channel)

    def find(
        self,
        person: Person,
        query: str,
        *,
        limit: int = 20,
        after: str = "",
        language: str = "",
        time_zone: str = "",
        filters: Sequence[tuple[str, str]] = (),
        by_ticket: bool = False,
    ) -> pb.FindResponse:
        """Hits with facets; never an error for a query."""
        request = pb.FindRequest(
            query=query,
            after=after,
            limit=limit,
            language=language,
            time_zone=time_zone,
            filters=[pb.Filter(field=field, value=value) for field, value in filters],
            user_id=person.user_id,
            by_ticket=by_ticket,
        )
        return self._call(self._stub.Find, request, person, 5.0)

    def suggest(self, person: Person, text: str, *, caret: int = 0, language: str = "") -> pb.SuggestResponse:
        """Completions."""
        return self._call(self._stub.Suggest, pb.SuggestRequest(text=text, caret=caret, language=language), person, 1.0)

    def status(self) -> pb.StatusResponse:
        """How the index stands."""
        return self._call(self._stub.Status, common.Empty(), None, 1.0)

    def rebuild(self, person: Person) -> pb.StatusResponse:
        """Begins a rebuild beside the live index."""
        return self._call(self._stub.Rebuild, common.Empty(), person)
