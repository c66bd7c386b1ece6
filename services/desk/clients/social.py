"""Calls to social: mentions, alerts, watches, sources, notifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from ascolto.common.v1 import envelope_pb2 as common
from ascolto.social.v1 import events_pb2 as events
from ascolto.social.v1 import service_pb2 as pb
from ascolto.social.v1 import service_pb2_grpc as rpc
from services.desk.clients.base import Client, stamp
from services.kit.errors import NotFound

if TYPE_CHECKING:
    import grpc

    from services.kit.principal import Person
    from services.kit.rpc import Caller

TONES = {"negative": events.TONE_NEGATIVE, "neutral": events.TONE_NEUTRAL, "positive": events.TONE_POSITIVE}


class SocialClient(Client):
    """Typed calls; each raises the service's own error."""

    def __init__(self, caller: Caller, channel: grpc.Channel) -> None:
        super().__init__(caller, channel)
        self._stub = rpc.SocialStub(channel)

    def ingest(self, person: Person, source: str, items: Sequence[pb.NewMention]) -> pb.IngestMentionsResponse:
        """Takes in mentions; answers item by item."""
        return self._call(self._stub.IngestMentions, pb.IngestMentionsRequest(source=source, items=items), person, 15.0)

    def mentions(
        self,
        person: Person,
        *,
        watch_id: str = "",
        source: str = "",
        tone: str = "",
        state: str = "",
        brand_id: str = "",
        alert_id: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        sort: str = "",
        ids: Sequence[str] = (),
        author: str = "",
        term: str = "",
        limit: int = 50,
        after: str = "",
    ) -> pb.ListMentionsResponse:
        """One page of mentions."""
        request = pb.ListMentionsRequest(
            page=common.Page(limit=limit, after=after),
            watch_id=watch_id,
            source=source,
            tone=TONES.get(tone, events.TONE_UNSPECIFIED),
            state=state,
            brand_id=brand_id,
            alert_id=alert_id,
            since=stamp(since),
            until=stamp(until),
            sort=sort,
            ids=ids,
            author=author,
            term=term,
        )
        return self._call(self._stub.ListMentions, request, person)

    def mention(self, person: Person, id: str) -> pb.MentionDetail:
        """One mention with what surrounds it."""
        return self._call(self._stub.GetMention, pb.GetMentionRequest(id=id), person)

    def change_mention(
        self,
        person: Person,
        *,
        id: str,
        act: str,
        tone: str = "",
        ticket_id: str = "",
        reason: str = "",
    ) -> events.Mention:
        """take, ignore, seen, correct the tone, link_ticket."""
        request = pb.ChangeMentionRequest(
            id=id,
            act=act,
            tone=TONES.get(tone, events.TONE_UNSPECIFIED),
            ticket_id=ticket_id,
            reason=reason,
            user_id=person.user_id,
        )
        return self._call(self._stub.ChangeMention, request, person)

    def alerts(
        self,
        person: Person,
        *,
        states: Sequence[str] = (),
        brand_id: str = "",
        parent_id: str = "",
        limit: int = 50,
        after: str = "",
    ) -> pb.ListAlertsResponse:
        """One page of alerts, with what proves that detection is awake; those folded under a crisis by its id."""
        request = pb.ListAlertsRequest(
            page=common.Page(limit=limit, after=after), states=states, brand_id=brand_id, parent_id=parent_id
        )
        return self._call(self._stub.ListAlerts, request, person)

    def alert(self, person: Person, id: str) -> pb.AlertDetail:
        """One alert with its evidence."""
        return self._call(self._stub.GetAlert, pb.GetAlertRequest(id=id), person)

    def change_alert(
        self,
        person: Person,
        *,
        id: str,
        act: str,
        version: int = 0,
        until: datetime | None = None,
        until_end: bool = False,
        reason: str = "",
        cause: str = "",
        ticket_id: str = "",
        assignee: str = "",
    ) -> events.Alert:
        """claim, assign, mute, unmute, escalate, resolve, false_alarm, link_ticket. Raises `Conflict` with the alert (see `current`)."""
        request = pb.ChangeAlertRequest(
            id=id,
            act=act,
            version=version,
            user_id=person.user_id,
            until=stamp(until),
            until_end=until_end,
            reason=reason,
            cause=cause,
            ticket_id=ticket_id,
            assignee=assignee,
        )
        return self._call(self._stub.ChangeAlert, request, person)

    def watches(self, person: Person) -> Sequence[pb.Watch]:
        """All watches of the person's brands."""
        return self._call(self._stub.ListWatches, common.Empty(), person).watches

    def put_watch(
        self,
        person: Person,
        *,
        id: str = "",
        name: str,
        brand_id: str,
        query: str,
        source_ids: Sequence[str] = (),
        alerting: bool = True,
        version: int = 0,
    ) -> pb.Watch:
        """Makes or changes a watch."""
        watch = pb.Watch(
            id=id, name=name, brand_id=brand_id, query=query, source_ids=source_ids, alerting=alerting, version=version
        )
        return self._call(self._stub.PutWatch, watch, person)

    def delete_watch(self, person: Person, *, id: str, version: int = 0) -> None:
        """Deletes a watch."""
        self._call(self._stub.DeleteWatch, pb.DeleteWatchRequest(id=id, version=version), person)

    def check_query(self, person: Person, query: str, *, source_ids: Sequence[str] = ()) -> pb.CheckQueryResponse:
        """What a query means and its faults."""
        return self._call(self._stub.CheckQuery, pb.CheckQueryRequest(query=query, source_ids=source_ids), person)

    def sources(self, person: Person) -> pb.ListSourcesResponse:
        """All sources and the kinds there are."""
        return self._call(self._stub.ListSources, common.Empty(), person)

    def put_source(
        self,
        person: Person,
        *,
        id: str = "",
        kind: str,
        name: str,
        on: bool,
        settings: Mapping[str, str],
        secrets: Mapping[str, str],
        version: int = 0,
        brand_id: str = "",
    ) -> pb.Source:
        """Makes or changes a source; a secret left out stays."""
        request = pb.PutSourceRequest(
            id=id, kind=kind, name=name, on=on, settings=settings, secrets=secrets, version=version, brand_id=brand_id
        )
        return self._call(self._stub.PutSource, request, person)

    def notifiers(self, person: Person) -> Sequence[pb.Notifier]:
        """Who is told of alerts outside the desk."""
        return self._call(self._stub.ListNotifiers, common.Empty(), person).notifiers

    def put_notifier(
        self,
        person: Person,
        *,
        id: str = "",
        kind: str,
        target: str,
        secret: str = "",
        on: bool = True,
        version: int = 0,
        brand_id: str = "",
        min_severity: str = "",
    ) -> pb.Notifier:
        """Makes or changes one."""
        notifier = pb.Notifier(
            id=id,
            kind=kind,
            target=target,
            secret=secret,
            on=on,
            version=version,
            brand_id=brand_id,
            min_severity=min_severity,
        )
        return self._call(self._stub.PutNotifier, notifier, person)

    @staticmethod
    def current(detail: bytes) -> events.Alert:
        """The alert as it stands, from a refused change."""
        return events.Alert.FromString(detail)

    @staticmethod
    def telling_post(detail: pb.AlertDetail) -> events.Mention:
        """The post to answer first: the most representative one that can be answered, else the first there is.

        Raises `NotFound` when the alert holds no post any more.
        """
        posts = [*detail.posts, *([detail.first] if detail.HasField("first") else [])]
        live = [post for post in posts if not post.removed]
        if not live:
            raise NotFound("The alert's posts are gone; open the ticket from a mention.", alert_id=detail.alert.id)
        return next((post for post in live if post.can_reply), live[0])
