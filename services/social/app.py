"""Wires the social service: the only file that sees both its sides."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

import grpc

from ascolto.social.v1.service_pb2_grpc import add_SocialServicer_to_server
from services.kit.app import Check, Consumption, Service
from services.kit.backends import Parts
from services.kit.clock import Clock
from services.kit.consume import Consumer, Lag
from services.kit.errors import Unavailable
from services.kit.uow import Database, Lane
from services.social import wire
from services.social.clients import Voices
from services.social.consumer import consumptions
from services.social.domain.text import content_key, normalise
from services.social.figures import SocialFigures
from services.social.listening import Deps as ListeningDeps
from services.social.listening import Supervisor
from services.social.models.language import LanguageModel
from services.social.models.sketch import Window, signature
from services.social.models.tone import ToneModel
from services.social.notifying import NotifierWorker, Outlets
from services.social.ports import Scored
from services.social.rpc import SocialService
from services.social.rpc.deps import Deps
from services.social.sources import kinds
from services.social.store import alerts, config, mentions
from services.social.store.config import Watch
from services.social.store.mentions import TONES
from services.social.store.rows import micros
from services.social.usecases.configure import Configure
from services.social.usecases.detect import settle, under_way
from services.social.usecases.episodes import unmute_due
from services.social.usecases.ingest import Ingest
from services.social.usecases.watching import Watching

_SURE_OF_LANGUAGE = 0.5
_HOUSEKEEPING_S = 10.0
_FORGETTING = timedelta(minutes=10)
_FOLD = timedelta(hours=72)
_REMEMBERED = 4000


class ModelScorer:
    """Language and tone by the fitted weights; without models every tone is unknown."""

    def __init__(self, *, tones: bool) -> None:
        self._language = LanguageModel()
        self._tone = ToneModel() if tones else None

    def score(self, texts: Sequence[str], languages: Sequence[str]) -> list[Scored]:
        """One result a text, in order."""
        told = [self._language.tell(text, hint=hint) for text, hint in zip(texts, languages, strict=True)]
        known = [code if sure >= _SURE_OF_LANGUAGE else "" for code, sure in told]
        if self._tone is None:
            return [Scored(language, 0, 0.0, 0.0) for language in known]
        verdicts = self._tone.judge(texts, [code for code, _ in told])
        return [
            Scored(language, [tone.value for tone in TONES].index(one.tone), one.confidence, one.negative)
            for language, one in zip(known, verdicts, strict=True)
        ]


@dataclass(slots=True)
class Originals:
    """Which mention a text nearly repeats, over 72 hours; filled from the store when it is first asked."""

    database: Database
    clock: Clock
    _window: Window = field(default_factory=Window)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _filled: bool = False

    def find_or_add(self, mention_id: str, normalised: str, at_s: float) -> str:
        """The original's id, or "" when this one is the first of its kind."""
        mark = signature(normalised)
        with self._lock:
            if not self._filled:
                self._fill()
            found = self._window.find(mark, at_s)
            if not found:
                self._window.add(mention_id, mark, at_s)
        return found

    def _fill(self) -> None:
        with self.database.read() as reader:
            newest = mentions.list_newest(reader, micros(self.clock.now()), _REMEMBERED)
        known = [(row, normalise(row.text)) for row in reversed(newest) if not row.repost_of]
        self._window.fill((row.id, plain, row.occurred_us / 1e6) for row, plain in known if content_key(plain))
        self._filled = True


class Housekeeping:
    """Ends episodes that calmed down, unmutes what is due, forgets old keys of likeness; a `Worker`."""

    name = "social-housekeeping"

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._forget_at = clock.now()

    def run(self, stop: threading.Event) -> None:
        """Each ten seconds."""
        while not stop.wait(_HOUSEKEEPING_S):
            self.run_once()

    def run_once(self) -> None:
        """What is due now; writes nothing where nothing is."""
        now = self._clock.now()
        with self._database.read() as reader:
            muted, episodes = alerts.list_muted_out(reader, micros(now)), under_way(reader)
        if muted:
            self._database.write(lambda uow: unmute_due(uow, self._clock))
        if episodes:
            self._database.write(lambda uow: settle(uow, self._clock))
        if now >= self._forget_at:
            self._forget_at = now + _FORGETTING
            self._database.write(lambda uow: mentions.drop_folds(uow, micros(now - _FOLD)), lane=Lane.BULK)


def build(parts: Parts) -> Service:
    """The service with its calls, the detector, the readers of sources and the notifier."""
    database, clock = parts.database, parts.clock
    kinds()  # their libraries are loaded now, not inside the first transaction that names one
    watching = Watching(database)
    ingest = Ingest(
        database=database,
        clock=clock,
        watching=watching,
        scorer=ModelScorer(tones=parts.settings.models),
        find_original=Originals(database, clock).find_or_add,
        seen=wire.mention_seen,
        scored=wire.mention_scored,
    )
    configure = Configure(database, parts.secrets, clock)
    detecting = consumptions(clock)
    service = SocialService(Deps(database, clock, ingest, configure, watching, _lags(detecting, parts)))
    listening = ListeningDeps(
        database, clock, parts.secrets, parts.egress, parts.leases, watching, ingest, parts.instance
    )
    voices = Voices(parts.channels["intake"], keys=parts.keys, clock=clock)
    url = parts.settings.url()
    sender = parts.settings.notices_from or f"ascolto@{urlsplit(url).hostname or 'localhost'}"
    outlets = Outlets(parts.egress, parts.settings.smtp_out, url, voices.of, sender)
    parts.metrics.register(SocialFigures(database))
    return Service(
        name="social",
        database=database,
        rpc=(_adder(service),),
        consumers=detecting,
        workers=(
            Supervisor(listening),
            NotifierWorker(database, parts.secrets, clock, outlets),
            Housekeeping(database, clock),
        ),
        checks=(Check("sources", lambda: _check_sources(database), critical=False),),
    )


def _lags(detecting: Sequence[Consumption], parts: Parts) -> Callable[[], Sequence[Lag]]:
    """How far the detector is behind; asked of the log and the stored positions, whoever consumes."""
    asked = [Consumer(one, parts.database, parts.log, clock=parts.clock) for one in detecting]
    return lambda: [lag for one in asked for lag in one.lags()]


def _check_sources(database: Database) -> None:
    with database.read() as reader:
        sick = [row.name for row in config.list_sources(reader) if row.enabled and row.state == "failing"]
    if sick:
        raise Unavailable(f"These sources fail: {', '.join(sick)}.")


def _adder(service: SocialService) -> Callable[[grpc.Server], None]:
    def add(server: grpc.Server) -> None:
        add_SocialServicer_to_server(service, server)

    return add


def ensure_watch(parts: Parts, *, brand_id: str, brand: str) -> str:
    """The watch a new brand begins with: its name; the first brand's also hears what is handed over as batches.

    Repeatable; returns the watch's id.
    """
    with parts.database.read() as reader:
        watches = config.list_watches(reader)
    known = [watch for watch in watches if watch.brand_id == brand_id]
    if known:
        return known[0].id
    quoted = brand.replace('"', " ").strip()
    query = f'"{quoted}"' if watches else f'"{quoted}" OR source:replay'
    watch = Watch(id="", name=brand, brand_id=brand_id, query=query)
    return Configure(parts.database, parts.secrets, parts.clock).put_watch(watch).id
