"""What operations people see and do, the same for every service: health, lag, dead letters and their replay."""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from ascolto.common.v1 import operations_pb2 as pb
from ascolto.common.v1.operations_pb2_grpc import OperationsServicer as Base
from ascolto.common.v1.operations_pb2_grpc import add_OperationsServicer_to_server
from services.kit.deadletters import DeadLetter, DeadLetters
from services.kit.errors import Invalid
from services.kit.uow import PoolUse
from services.kit.watched import Watched

_MAX_PAGE = 200


class OperationsServicer(Base):
    """`ascolto.common.v1.Operations` of one service."""

    def __init__(self, watched: Watched, data: Path, instance: str, metrics: CollectorRegistry) -> None:
        self._watched, self._service = watched, watched.service
        self._data, self._instance, self._metrics = data, instance, metrics
        self._letters = DeadLetters(watched.service.database, watched.service.consumers, clock=watched.clock)

    def register(self, server: Any) -> None:
        """Adds it to a server."""
        add_OperationsServicer_to_server(self, server)

    def Figures(self, request: Any, context: Any) -> pb.FiguresResponse:  # noqa: N802, ARG002 (named by the contract)
        """All figures of the process."""
        return pb.FiguresResponse(text=generate_latest(self._metrics).decode())

    def Health(self, request: Any, context: Any) -> pb.HealthResponse:  # noqa: N802, ARG002 (named by the contract)
        """Checks, lag and stages; a check that fails is in the answer, not an error."""
        checks = []
        for check in self._service.checks:
            began = time.perf_counter()
            detail = ""
            try:
                check.run()
            except Exception as error:  # noqa: BLE001 (a check says "broken" by raising whatever it meets; the reason is shown)
                detail = str(error) or type(error).__name__
            took_ms = (time.perf_counter() - began) * 1000
            checks.append(pb.Check(name=check.name, ok=not detail, detail=detail, latency_ms=took_ms))
        lags = [
            pb.GroupLag(
                group=lag.group, topic=lag.topic, position=lag.position, end=lag.end, age_s=lag.age_s, paused=lag.paused
            )
            for lag in self._watched.lags()
        ]
        stages = self._service.stages() if self._service.stages else ()
        disk = shutil.disk_usage(self._data)
        made = pb.HealthResponse(
            service=self._service.name,
            ready=all(check.ok for check in checks),
            checks=checks,
            lags=lags,
            stages=[
                pb.Stage(name=name, in_count=came, out_count=went, waiting=waiting, failing=failing, oldest_s=oldest_s)
                for name, came, went, waiting, failing, oldest_s in stages
            ],
            dead_letters=self._letters.count(),
            oldest_unprocessed_s=max([lag.age_s for lag in lags] + [stage[5] for stage in stages], default=0.0),
            version=metadata.version("ascolto"),
            disk_free_bytes=disk.free,
            disk_used_bytes=disk.used,
            leases=[pb.Lease(name=one.name, holder=one.holder, left_s=one.left_s) for one in self._watched.leases()],
            pools=[_pool(one) for one in self._watched.pools()],
            instance=self._instance,
        )
        if (outbox := self._watched.outbox()) is not None:
            made.outbox.CopyFrom(pb.Outbox(rows=outbox.rows, oldest_s=outbox.oldest_s))
        return made

    def ListDeadLetters(self, request: pb.ListDeadLettersRequest, context: Any) -> pb.ListDeadLettersResponse:  # noqa: N802, ARG002 (as above)
        """A page of what waits, oldest first."""
        letters, following = self._letters.list(
            limit=min(request.page.limit or 50, _MAX_PAGE), after=request.page.after
        )
        return pb.ListDeadLettersResponse(
            items=[self._wire(letter) for letter in letters],
            next=following,
            total=self._letters.count(),
            handled_since=self._letters.handled_since(0),
        )

    def ReplayDeadLetters(self, request: pb.ReplayDeadLettersRequest, context: Any) -> pb.ReplayDeadLettersResponse:  # noqa: N802, ARG002 (as above)
        """Runs parked records through their own group's handler. Raises `Invalid` when nothing was named."""
        if not request.ids and not request.all and not request.reason_kind:
            raise Invalid("Name the dead letters to replay, a kind of reason, or all.", field="ids")
        ids = list(request.ids) or self._letters.waiting_ids(request.reason_kind)
        outcomes = self._letters.replay(ids, confirmed=request.confirmed)
        return pb.ReplayDeadLettersResponse(
            results=[pb.ReplayOutcome(id=one.id, ok=one.ok, detail=one.detail, kind=one.kind) for one in outcomes]
        )

    def _wire(self, letter: DeadLetter) -> pb.DeadLetter:
        made = pb.DeadLetter(
            id=letter.id,
            group=letter.group,
            topic=letter.topic,
            offset=letter.position,
            event_id=letter.event_id,
            kind=letter.kind,
            key=letter.key,
            reason=letter.reason,
            attempts=letter.attempts,
            last_reason=letter.last_reason,
            service=self._service.name,
            aggregate_id=letter.aggregate_id,
            reason_kind=letter.reason_kind,
        )
        made.first_at.FromDatetime(datetime.fromtimestamp(letter.first_us / 1e6, UTC))
        made.last_at.FromDatetime(datetime.fromtimestamp(letter.last_us / 1e6, UTC))
        return made


def _pool(of: PoolUse) -> pb.Pool:
    return pb.Pool(
        name=of.name,
        size=of.size,
        free=of.free,
        waiting=of.waiting,
        waits=of.waits,
        waited_s=of.waited_s,
        refused=of.refused,
    )
