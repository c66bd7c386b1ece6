"""Contacts that come while a commit is under way share the next; how far apart commits are kept is the database's word."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, cast

import pytest

from services.intake.domain.contact import Accepted
from services.intake.usecases.accept import Acceptor
from services.intake.web.hooks import Coalescer
from services.kit.uow import Spacing


class Commits:
    """An acceptor whose commits are over at once."""

    def __init__(self, spacing: Spacing) -> None:
        self.spacing = spacing
        self.sizes: list[int] = []

    def submit(self, batch: Sequence[object]) -> Future[list[Accepted]]:
        self.sizes.append(len(batch))
        done: Future[list[Accepted]] = Future()
        done.set_result([Accepted("con_1") for _ in batch])
        return done


async def _three_then_two_apart(commits: Commits) -> None:
    coalescer = Coalescer(cast("Acceptor", commits))
    one: Any = object()
    await asyncio.gather(*(coalescer.accept(one) for _ in range(3)))
    fourth = asyncio.create_task(coalescer.accept(one))
    for _ in range(5):
        await asyncio.sleep(0)  # sleep: none, the loop does all that it can do by now
    await asyncio.gather(fourth, coalescer.accept(one))


@pytest.mark.parametrize(("crowd", "sizes"), [(2, [3, 2]), (4, [3, 1, 1])])
def test_after_a_crowd_the_next_commit_waits_for_more(crowd: int, sizes: list[int]) -> None:
    commits = Commits(Spacing(crowd=crowd, seconds=0.05))

    asyncio.run(_three_then_two_apart(commits))

    assert commits.sizes == sizes
