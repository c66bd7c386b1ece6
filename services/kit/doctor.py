"""`ascolto doctor`: looks at each thing an installation rests on, and says of each that is wrong how to mend it.

A server that is away is a line like any other. Nothing is changed: no schema, no topic, no bucket is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ascolto.common.v1.envelope_pb2 import Empty
from ascolto.common.v1.operations_pb2_grpc import OperationsStub
from services.kit.application import Application
from services.kit.backends import load
from services.kit.config import Settings
from services.kit.errors import AscoltoError, Unauthenticated, Unavailable
from services.kit.http import failing
from services.kit.rpc import Caller

if TYPE_CHECKING:
    from services.kit.uow import Database

_APART_S, _FAR_APART_S = 2.0, 300.0
_PEER_S = 3.0
FINE = "fine"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `warning`: it works, and somebody should look; still `ok`."""

    name: str
    ok: bool = True
    detail: str = FINE
    warning: bool = False


def examine(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """Looks from outside, with the settings of an environment, whether or not anything runs."""
    try:
        settings = Settings.from_env(environment)
        with Application(settings) as app:
            return [asdict(one) for one in _all(app)]
    except AscoltoError as error:  # nothing more can be looked at before this is right
        return [asdict(Finding(error.field or "start", ok=False, detail=error.message))]


def look(app: Application) -> list[dict[str, Any]]:
    """Looks from inside the one process that runs everything: its own checks too."""
    checks = app.checks()
    faults = {name: detail for name, detail, _ in failing(checks)}
    own = [Finding(one.name, one.name not in faults, faults.get(one.name, FINE)) for one in checks]
    return [asdict(one) for one in [*own, *_all(app)]]


def _all(app: Application) -> Iterator[Finding]:
    for service, database in app.databases.items():
        yield from _database(service, database, app)
    yield from _server("log", "ASCOLTO_BUS", app.bus.reach, app.bus.faults)
    yield from _server("blobs", "ASCOLTO_BLOBS", app.blobs.reach, app.blobs.faults)
    engine = load("index", app.settings.index)(app.settings.index, app.settings.data / "search")
    yield from _server("index", "ASCOLTO_INDEX", engine.existing, engine.faults)
    yield from _peers(app)
    yield _open_to_others(app.settings)
    yield _key(app.settings)


def _database(service: str, database: Database, app: Application) -> Iterator[Finding]:
    name = f"{service}: database"
    try:
        database.reach()
        database.check_schema()
    except AscoltoError as error:
        yield Finding(name, ok=False, detail=f"{error.message} It is named by ASCOLTO_DATABASE.")
        return
    yield Finding(name)
    try:
        before = app.clock.now().timestamp()
        theirs = database.write(lambda uow: uow.now_us()) / 1e6
    except AscoltoError as error:
        yield Finding(f"{service}: clock", ok=False, detail=f"It cannot be told: {error.message}")
        return
    yield _clock(service, theirs - (before + app.clock.now().timestamp()) / 2)


def _clock(service: str, apart_s: float) -> Finding:
    name = f"{service}: clock"
    if abs(apart_s) <= _APART_S:
        return Finding(name)
    said = (
        f"The database's clock is {abs(apart_s):.0f} s {'ahead of' if apart_s > 0 else 'behind'} ours:"
        " set both machines by NTP (chronyc tracking shows the offset)."
    )
    bad = abs(apart_s) > _FAR_APART_S
    return Finding(name, ok=not bad, detail=said, warning=not bad)


def _server(name: str, setting: str, reach: Callable[[], object], faults: Callable[[], list[str]]) -> Iterator[Finding]:
    try:
        reach()
        found = faults()
    except AscoltoError as error:
        yield Finding(name, ok=False, detail=f"{error.message} Start it, or correct {setting}.")
        return
    yield from (Finding(name, ok=False, detail=sentence) for sentence in found)
    if not found:
        yield Finding(name)


def _peers(app: Application) -> Iterator[Finding]:
    caller = Caller(service="kit", keys=app.keys, clock=app.clock)
    for service, where, channel in app.peers():
        name = f"{service}: calls to {where}"
        try:
            caller.invoke(OperationsStub(channel).Health, Empty(), timeout_s=_PEER_S)
        except Unauthenticated as error:
            yield Finding(
                name, ok=False,
                detail=f"It refuses us: {error.message} All processes need the same ASCOLTO_KEY_FILE and clocks that agree.",
            )  # fmt: skip
        except Unavailable as error:
            yield Finding(name, ok=False, detail=_why_silent(where, error.message))
        except AscoltoError as error:
            yield Finding(name, ok=False, detail=f"It answers with an error: {error.message} Its log says more.")
        else:
            yield Finding(name)
        finally:
            channel.close()


def _why_silent(where: str, told: str) -> str:
    if "handshake" in told.lower() or "certificate" in told.lower() or "ssl" in told.lower():
        return (
            f"{where} and we do not accept each other's certificates: one authority (ASCOLTO_RPC_CA) must have signed"
            " both, for the name in ASCOLTO_RPC, and neither may have expired."
        )
    return (
        f"{where} does not answer: start that service, or correct ASCOLTO_RPC; with grpcs: compare ASCOLTO_RPC_CA too."
    )


def _open_to_others(settings: Settings) -> Finding:
    if settings.http.host in {"127.0.0.1", "::1", "localhost"} or settings.trust_proxy:
        return Finding("http")
    return Finding(
        "http",
        ok=False,
        detail="HTTP is open to others without a proxy: put TLS in front and set ASCOLTO_TRUST_PROXY=1.",
    )


def _key(settings: Settings) -> Finding:
    path = settings.key_path
    size, mode = path.stat().st_size, path.stat().st_mode & 0o777
    if size != 32:
        return Finding(
            "key", ok=False, detail=f"The key file {path} has {size} bytes, not 32: restore it from a backup."
        )
    if mode & 0o077:
        return Finding("key", ok=False, detail=f"The key file {path} has mode {mode:o}: run `chmod 600 {path}`.")
    return Finding("key")
