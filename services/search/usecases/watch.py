"""Looks after the index's files in the background: a little each time, all at once when a search failed."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from services.kit import log
from services.kit.errors import Unavailable
from services.search.ports import IndexDamaged
from services.search.usecases.generations import Generations

_EVERY_S = 5.0
_BYTES_A_TURN = 16 * 1024 * 1024  # about 20 ms of hashing, of which Python holds its lock for none
_MOST_SUSPICIONS = 5  # searches that failed on files that look whole
_log = log.logger("search")


@dataclass(slots=True)
class Watcher:
    """A worker that compares files with their hashes."""

    generations: Generations
    name: str = "search-watch"

    def run(self, stop: threading.Event) -> None:
        """Checks until `stop` is set; all files first."""
        whole = True
        while not stop.is_set():
            try:
                self.generations.open()
                self.check(whole=whole)
            except Unavailable as error:
                _log.warning("index.unwatched", reason=error.message)
            whole = self.generations.suspected.wait(_EVERY_S)  # set at the stop too

    def check(self, *, whole: bool) -> bool:
        """Compares the live index's files. False when it was given up."""
        generations = self.generations
        index = generations.live
        if index is None:
            generations.suspected.clear()
            return False
        try:
            index.check(most_bytes=0 if whole else _BYTES_A_TURN)
        except IndexDamaged as error:
            generations.give_up(index, error)
            return False
        if whole and generations.suspected.is_set():
            generations.suspected.clear()
            if generations.suspicions >= _MOST_SUSPICIONS:
                generations.suspicions = 0
                generations.give_up(index, IndexDamaged("Searches fail again and again; the index is built anew."))
                return False
        return True
