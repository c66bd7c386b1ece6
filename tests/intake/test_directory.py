"""What one process changed, every other one notices."""

from __future__ import annotations

from services.intake.store import accounts as store
from services.intake.usecases.accounts import Accounts
from services.intake.usecases.directory import Directory
from tests.intake.world import World


def test_a_change_by_another_process_is_noticed_and_no_change_reads_nothing(world: World) -> None:
    here = Directory(world.parts.database, world.parts.secrets, world.directory.channels)
    before = here.refresh()
    assert here.refresh() is before

    there = Accounts(world.parts.database, world.directory, world.parts.secrets)
    second, _ = there.ensure_defaults(name="Chiocciola", email="aiuto@chiocciola.example")

    assert here.picture is before
    assert second.id in here.refresh().brands


def test_a_token_that_replaces_another_is_noticed(world: World) -> None:
    here = Directory(world.parts.database, world.parts.secrets, world.directory.channels)
    here.refresh()

    world.parts.database.write(lambda uow: store.replace_access_keys(uow, [("tok_2", b"h" * 32, ["admin"])]))

    assert set(here.refresh().keys) == {b"h" * 32}
