"""What the handlers share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ascolto.common.v1.envelope_pb2 import Page
from ascolto.social.v1.service_pb2_grpc import SocialServicer
from services.kit.clock import Clock
from services.kit.consume import Lag
from services.kit.uow import Database
from services.social.usecases.configure import Configure
from services.social.usecases.ingest import Ingest
from services.social.usecases.watching import Watching

_DEFAULT_PAGE, _LONGEST_PAGE = 50, 200


@dataclass(frozen=True, slots=True)
class Deps:
    """What handlers call upon."""

    database: Database
    clock: Clock
    ingest: Ingest
    configure: Configure
    watching: Watching
    lags: Callable[[], Sequence[Lag]]  # of the detector


class Calls(SocialServicer):
    """A part of the servicer."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps


def limit_of(page: Page) -> int:
    """Items a page, 1 to 200."""
    return min(page.limit or _DEFAULT_PAGE, _LONGEST_PAGE)
