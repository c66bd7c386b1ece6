"""Who waits for a commit: woken by its own topics, and never too late."""

from __future__ import annotations

import threading

from services.kit import topics
from services.kit.wakes import Wakes


def test_who_waits_is_woken_by_its_topics_and_not_by_others() -> None:
    wakes = Wakes()
    seen = wakes.wait([topics.CONTACTS], 0, 0.0)
    woken: list[int] = []
    thread = threading.Thread(target=lambda: woken.append(wakes.wait([topics.CONTACTS], seen, 10.0)))
    thread.start()

    wakes.notify(frozenset({topics.DELIVERIES}))
    thread.join(0.05)
    assert thread.is_alive()
    wakes.notify(frozenset({topics.CONTACTS}))
    thread.join(5)

    assert not thread.is_alive()
    assert woken[0] > seen


def test_a_commit_between_reading_and_waiting_is_not_missed() -> None:
    wakes = Wakes()
    seen = wakes.wait([topics.CONTACTS], 0, 0.0)
    wakes.notify(frozenset({topics.CONTACTS}))

    assert wakes.wait([topics.CONTACTS], seen, 10.0) > seen
