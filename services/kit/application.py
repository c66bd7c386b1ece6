"""One process of ours: opens the backends, takes the services, starts them in order and ends them in order.

Order of the start: lock of the folder, HTTP for those who watch, servers reached, schema, calls, workers, all of HTTP,
control socket; the end is the reverse. Which backends there are is said by the settings alone (`kit.backends`).
"""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from prometheus_client import GCCollector, PlatformCollector, ProcessCollector

from ascolto.common.v1.envelope_pb2 import Empty
from ascolto.common.v1.operations_pb2_grpc import OperationsStub
from services.kit import interpreter, log
from services.kit.apart import Apart
from services.kit.app import Check, Service, Worker
from services.kit.backends import SERVICES, Parts, load
from services.kit.bus import Duties, Log
from services.kit.clock import Clock, SystemClock
from services.kit.config import HostPort, Settings
from services.kit.consume import Consumer
from services.kit.consume_metrics import ConsumeMetrics
from services.kit.control import Command, ControlServer
from services.kit.egress import Egress
from services.kit.errors import RateLimited, Unavailable
from services.kit.figures import ProcessFigures, Registry, ServiceFigures
from services.kit.http import Dispatcher, HttpServer
from services.kit.leases import Leases
from services.kit.operations import OperationsServicer
from services.kit.prune import InboxPruner, PruneWorker
from services.kit.rpc import Caller, network
from services.kit.rpc.guard import Guard, call_counter
from services.kit.rpc.local import LocalServer
from services.kit.runner import FolderLock, Runner
from services.kit.secrets import Keys, SecretBox
from services.kit.spool import Spool
from services.kit.trace import open_tracer
from services.kit.uow import Database
from services.kit.wakes import Wakes
from services.kit.watched import Watched

if TYPE_CHECKING:
    import grpc


_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0
_LEAST_FREE_BYTES = 64 * 1024 * 1024
_FIGURES_S = 2.0


class Application:
    """One process. Use it as a context manager: leaving it ends everything that was started."""

    def __init__(
        self,
        settings: Settings,
        *,
        services: Collection[str] = SERVICES,
        clock: Clock | None = None,
        alone: str = "",
        lock_wait_s: float = 0.0,
    ) -> None:
        """`services`: those this process runs. `alone`: the one it runs beside the main process, which owns the folder."""
        interpreter.share_arenas()
        self.settings, self._names = settings, tuple(name for name in SERVICES if name in services)
        self.clock: Clock = clock or SystemClock()
        self._log = log.logger("application")
        # processes of some services each may share a machine's data folder: what is a process's own lies apart
        self.folder = settings.data.absolute() / ("" if len(self._names) == len(SERVICES) else "-".join(self._names))
        self.instance = f"{socket.gethostname()}:{self.folder}"
        self._alone = bool(alone)
        self._lock = FolderLock(self.folder / alone, wait_s=lock_wait_s)
        self._apart: list[Apart] = []
        try:
            self.metrics = Registry()
            for collector in (ProcessCollector, PlatformCollector, GCCollector):
                collector(registry=self.metrics)
            self.keys = Keys.open(settings.key_path)
            self.wakes = Wakes()
            self.tracer = open_tracer(settings.traces, self.instance)
            self.databases: dict[str, Database] = {name: self._open_database(name) for name in self._names}
            self.bus: Log = load("bus", settings.bus).open(settings.bus, databases=self.databases, wakes=self.wakes)
            calls = call_counter(self.metrics)
            self._consume_metrics = ConsumeMetrics(self.metrics)
            self._guards = {
                name: Guard(service=name, keys=self.keys, clock=self.clock, calls=calls, tracer=self.tracer)
                for name in SERVICES
            }
            self._calls = load("rpc", settings.rpc)(settings)
            self.servers = {name: LocalServer(self._guards[name]) for name in self._names}
            self.channels: dict[str, grpc.Channel] = {
                name: self.servers[name].channel() if name in self.servers else self._calls.channel(name)
                for name in SERVICES
            }
            self.blobs = load("blobs", settings.blobs).for_settings(settings)
            self.egress = Egress(allowed=settings.allow_hosts.split(","))
        except BaseException:
            self._lock.release()
            raise
        self.services: dict[str, Service] = {}
        self.consumers: dict[str, list[Consumer]] = {}
        self.watched: dict[str, Watched] = {}
        self.metrics.register(ServiceFigures(self.watched))
        self._listening: list[grpc.Server] = []
        self._runner: Runner | None = None
        self._http: HttpServer | None = None
        self._dispatcher: Dispatcher | None = None
        self._control: ControlServer | None = None

    def _open_database(self, service: str) -> Database:
        url = self.settings.database_of(service)
        opened: Database = load("database", url).open(url, service, clock=self.clock, notify=self.wakes.notify)
        return opened

    def migrate(self) -> None:
        """Brings every database's schema up to date, and makes the topics and the bucket where there are such."""
        for database in self.databases.values():
            database.migrate()
        for said in self.bus.migrate(self._retention):
            self._log.info("bus.migrated", detail=said)
        self.blobs.prepare()

    def reach(self) -> None:
        """Raises `Unavailable` naming the server that this process needs and cannot reach."""
        for database in self.databases.values():
            database.reach()
        self.bus.reach()
        self.blobs.reach()

    def watch(self, *, http: HostPort | None = None) -> None:
        """Answers health and metrics from now on, not ready yet: a server that is away must not look like a dead process."""
        checks = [Check("start", self._check_started)]
        self.metrics.register(
            ProcessFigures(self.checks, lambda: self._runner.loops if self._runner else (), self.folder)
        )
        self._dispatcher = Dispatcher(
            (), checks=checks, metrics=self.metrics, metrics_from=self.settings.metrics_from, tracer=self.tracer
        )
        self._http = HttpServer(self._dispatcher, http or self.settings.http, trust_proxy=self.settings.trust_proxy)
        self._http.start()

    def _check_started(self) -> None:
        if not self.running:
            self.reach()
            raise Unavailable("The services are being started.")

    def await_servers(self, stop: threading.Event, *, migrated: bool) -> bool:
        """Waits until every server answers; False when `stop` was set before. `migrated`: and until its schema is ours."""
        pause = _FIRST_PAUSE_S
        while not stop.is_set():
            try:
                self.reach()
                if migrated:
                    for database in self.databases.values():
                        database.check_schema()
            except (Unavailable, RateLimited) as error:
                self._log.warning("server.away", reason=error.message, again_in_s=pause)
                stop.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
                continue
            return True
        return False

    def parts(self, service: str) -> Parts:
        """What `build` of a service is given."""
        database = self.databases[service]
        return Parts(
            service=service,
            settings=self.settings,
            database=database,
            log=self.bus,
            wakes=self.wakes,
            blobs=self.blobs,
            clock=self.clock,
            secrets=SecretBox(self.keys),
            keys=self.keys,
            metrics=self.metrics,
            channels=self.channels,
            data=self.folder,
            instance=self.instance,
            leases=Leases(database),
            egress=self.egress,
            tracer=self.tracer,
        )

    def add(self, service: Service) -> Service:
        """Takes a service in: its calls answer from now on, its threads run after `start`."""
        self.services[service.name] = service
        if service.process:
            self._put_apart(service)
        self.consumers[service.name] = [
            Consumer(
                one,
                service.database,
                self.bus,
                clock=self.clock,
                metrics=self._consume_metrics,
                tracer=self.tracer,
                service=service.name,
            )
            for one in service.consumers
        ]
        if not service.process:
            self.watched[service.name] = Watched(service, self.consumers[service.name], self.bus, self.clock)
            self._consume_metrics.watch(self.consumers[service.name])
        self._register(service.name, self.servers[service.name])
        self._calls.serve(self._guards[service.name], partial(self._register, service.name))
        return service

    def _register(self, name: str, server: Any) -> None:
        service = self.services[name]
        for register in service.rpc:
            register(server)
        watched = self.watched.get(name) or Watched(service, (), self.bus, self.clock)
        OperationsServicer(watched, self.folder, self.instance, self.metrics).register(server)

    def listen(self, name: str, address: network.Address) -> None:
        """Answers the calls of one service over the network too."""
        server = network.server(self._guards[name])
        self._register(name, server)
        network.listen(server, address)
        self._listening.append(server)

    def _put_apart(self, service: Service) -> None:
        """The service runs in a process of its own, which asks those that are here already."""
        apart = Apart(service.name, service.process, self.settings)
        for name in self.services.keys() - {service.name}:
            self.listen(name, apart.address(name))
        self.channels[service.name] = apart.connect()
        self.wakes.listeners.append(lambda _topics: apart.wake())
        ProcessCollector(namespace=f"ascolto_{service.name}", pid=apart.pid, registry=self.metrics)
        self.metrics.beside.append(partial(self._figures_of, service.name))
        self._apart.append(apart)

    def _figures_of(self, name: str) -> str:
        caller = Caller(service="kit", keys=self.keys, clock=self.clock)
        return caller.invoke(OperationsStub(self.channels[name]).Figures, Empty(), timeout_s=_FIGURES_S).text

    def peers(self) -> Iterator[tuple[str, str, grpc.Channel]]:
        """Service, address and a fresh channel of each instance that the settings name; the caller closes it."""
        for name in SERVICES:
            for where, channel in self._calls.instances(name):
                yield name, where, channel

    def checks(self) -> list[Check]:
        """Everything readiness rests on."""
        found = [Check("disk", partial(_check_disk, self.folder))]
        found.append(Check("bus", self.bus.ping, critical=False))  # without it contacts are taken in all the same
        found += [Check(apart.name, apart.check_started) for apart in self._apart]
        for name, service in self.services.items():
            if not service.process:
                found.append(Check(f"{name}: database", service.database.ping))
            found.extend(service.checks)
        return found

    def start(self, commands: Mapping[str, Command] | None = None, *, http: HostPort | None = None) -> None:
        """Starts threads, HTTP and the control socket; everything answers when it returns."""
        if self._dispatcher is None:
            self.watch(http=http)
        assert self._dispatcher is not None
        assert self._http is not None
        self.work()
        mounts = [mount for service in self.services.values() for mount in service.mounts]
        self._dispatcher.open(mounts, self.checks())
        if commands is not None:
            self._control = ControlServer(self.folder, commands)
            self._control.start()
        self._log.info("application.ready", http=str(self._http.address))

    def work(self) -> None:
        """Starts the threads alone."""
        if not self._alone:  # the main process owns the folder
            self.blobs.clear()
            Spool(self.folder).clear()
        interpreter.spare_collector()
        workers: list[Worker] = []
        for name, service in self.services.items():
            workers += self.consumers[name]
            workers += service.workers
        owned = self._owned()
        inbox = InboxPruner(owned, clock=self.clock, retention=self._retention)
        workers.append(PruneWorker("prune-inbox", owned, inbox.prune, holder=self.instance))
        for database in owned.values():
            workers += database.workers(self.wakes.notify)
        workers += self.log_workers()
        workers += self._apart  # last: what a wrong setting stops has then stopped the start
        self._runner = Runner(list(self.services.values()), workers)
        self._runner.start()

    @property
    def _retention(self) -> timedelta:
        return timedelta(days=self.settings.retention_days)

    def _owned(self) -> dict[str, Database]:
        """The databases that this process looks after."""
        return {
            name: one
            for name, one in self.databases.items()
            if name in self.services and not self.services[name].process
        }

    def log_workers(self) -> list[Worker]:
        """What must run for the log's sake: relays, or pruning."""
        return self.bus.workers(
            Duties(
                self._owned(),
                self.wakes,
                self.clock,
                self.instance,
                self._retention,
                self.metrics,
                self.tracer,
                self._groups(),
            )
        )

    def _groups(self) -> set[tuple[str, str]]:
        return {(one.consumption.group, one.consumption.topic) for each in self.consumers.values() for one in each}

    @property
    def running(self) -> bool:
        """Whether it was started: the command line also wires applications that are not."""
        return self._runner is not None

    @property
    def http_address(self) -> HostPort:
        """Where HTTP is answered, with the port that was found free."""
        if self._http is None:
            raise Unavailable("HTTP is not started.")
        return self._http.address

    def stop(self) -> None:
        """Ends what was started; returns within 20 s."""
        if self._control is not None:
            self._control.stop()
        if self._runner is not None:
            for late in self._runner.stop():
                self._log.warning("worker.late", worker=late)
        if self._http is not None:
            self._http.stop()
        for apart in self._apart:
            apart.close()
        for server in self._listening:
            server.stop(None)
        self._calls.close()
        for database in self.databases.values():
            database.close()
        self.bus.close()
        self.egress.close()
        if self.tracer is not None:
            self.tracer.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        self.stop()


def _check_disk(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE_BYTES:
        raise Unavailable(f"The disk of {folder} has {free // 1024 // 1024} MiB free; free some space.")
