"""What a process runs that has one service alone, beside the main process that started it (`kit.apart`)."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from services.kit import crash, log
from services.kit.apart import END
from services.kit.application import Application
from services.kit.config import Settings
from services.kit.rpc import network
from services.kit.topics import PRODUCERS

if TYPE_CHECKING:
    from services.kit.app import Service
    from services.kit.backends import Parts

_LOCK_S = 15.0  # how long a child before this one may take to end


def serve(service: str, build: Callable[[Parts], Service], *, calls: Collection[str], folder: Path) -> None:
    """The child: runs `service` until the main process ends it or is gone. `calls` are the services it asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is sent to the whole group; the main process ends in order
    crash.die_together(os.getppid())
    settings = Settings.from_env(os.environ)
    log.set_up(form=settings.log, level=settings.log_level)
    with Application(settings, alone=service, lock_wait_s=_LOCK_S) as app:
        for name in calls:
            app.channels[name] = network.connect(folder / f"{name}.sock")
        app.add(build(app.parts(service)))
        app.listen(service, folder / f"{service}.sock")
        app.work()
        _obey(app, folder)


def _obey(app: Application, folder: Path) -> None:
    """Passes on what the main process says until it says that it is over."""
    topics = frozenset(PRODUCERS)
    while said := os.read(0, 65536):
        if END in said:
            return
        app.wakes.notify(topics)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)  # killed: whatever is under way is as safe as after a power cut, and the next start must not wait
