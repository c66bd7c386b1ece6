"""Brands and accounts: made, changed, switched, tested; the defaults of a new shop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from services.intake.domain.brand import Brand, checked, slug_of
from services.intake.domain.channel import Step
from services.intake.store import accounts as store
from services.intake.store.accounts import AccountRow
from services.intake.usecases.directory import Directory, address_key
from services.kit.errors import Conflict, Invalid, NotFound
from services.kit.ids import new_id
from services.kit.secrets import SecretBox
from services.kit.uow import Database, Uow

DEFAULT_CHANNELS = ("email", "webform", "chat", "api")


class Accounts:
    """The use cases of setting up. Each writes in one transaction and reads the directory anew."""

    def __init__(self, database: Database, directory: Directory, secrets: SecretBox) -> None:
        self._database, self._directory, self._secrets = database, directory, secrets

    def put_brand(self, brand: Brand) -> Brand:
        """Makes or changes a brand. Raises `Invalid`, `NotFound`, `Conflict` when the version is stale or the slug taken."""
        brand_id = brand.id or new_id("brd")

        def write(uow: Uow) -> Brand:
            every = {one.id: one for one in store.brands(uow)}
            before = every.get(brand.id)
            if brand.id and before is None:
                raise NotFound(f"There is no brand {brand.id[:60]}.")
            if before is not None and brand.version not in (0, before.version):
                raise Conflict(f"The brand {before.name} was changed by somebody else; load it again.")
            others = [one.slug for one in every.values() if one.id != brand.id]
            slug = brand.slug or (before.slug if before else slug_of(brand.name, others))
            if slug in others or slug != slug_of(slug):
                raise Conflict(
                    f"The short name {slug[:60]!r} is taken, or has other than a-z, 0-9 and '-'.", field="slug"
                )
            made = checked(replace(brand, id=brand_id, slug=slug, version=(before.version if before else 0) + 1))
            store.put_brand(uow, made)
            return made

        made = self._database.write(write)
        self._directory.reload()
        return made

    def put_account(
        self,
        *,
        account_id: str,
        brand_id: str,
        channel: str,
        address: str,
        settings: Mapping[str, str],
        secrets: Mapping[str, str],
        version: int = 0,
    ) -> AccountRow:
        """Makes or changes an account; a secret left out stays, an empty one is removed."""
        kind = self._directory.channels.get(channel)
        if kind is None and not account_id:
            raise Invalid(f"There is no channel {channel[:40]!r}.", field="channel")
        new = account_id or new_id("acc")
        sealed = {
            name: self._secrets.seal(value, owner=f"{new}/{name}") if value else b"" for name, value in secrets.items()
        }

        def write(uow: Uow) -> AccountRow:
            before = next((row for row in store.accounts(uow) if row.id == account_id), None)
            if account_id and before is None:
                raise NotFound(f"There is no account {account_id[:60]}.")
            if before is not None and version not in (0, before.version):
                raise Conflict("The account was changed by somebody else; load it again.")
            if before is None and all(one.id != brand_id for one in store.brands(uow)):
                raise Invalid(f"There is no brand {brand_id[:60]!r}.", field="brand_id")
            own_channel = before.channel if before else channel
            self._check(own_channel, settings, secrets)
            made = AccountRow(
                id=new,
                brand_id=before.brand_id if before else brand_id,
                channel=own_channel,
                address=address.strip(),
                address_key=address_key(address),
                state=before.state if before else "on",
                settings={name: value for name, value in settings.items() if value},
                off_message=before.off_message if before else "",
                version=(before.version if before else 0) + 1,
            )
            store.put_account(uow, made, sealed)
            return made

        made = self._database.write(write)
        self._directory.reload()
        return made

    def _check(self, channel: str, settings: Mapping[str, str], secrets: Mapping[str, str]) -> None:
        fields = {field.name: field for field in self._directory.channels[channel].fields}
        for name in (*settings, *secrets):
            if name not in fields:
                raise Invalid(f"The channel {channel} has no setting {name[:40]!r}.", field=name[:40])
            if fields[name].secret != (name in secrets):
                raise Invalid(f"{name} is {'' if fields[name].secret else 'not '}a secret.", field=name)

    def switch(self, account_id: str, *, on: bool, off_message: str) -> AccountRow:
        """Turns an account on or off; what is queued is kept."""

        def write(uow: Uow) -> AccountRow:
            before = next((row for row in store.accounts(uow) if row.id == account_id), None)
            if before is None:
                raise NotFound(f"There is no account {account_id[:60]}.")
            message = "" if on else off_message.strip()[:500]
            made = replace(before, state="on" if on else "off", off_message=message, version=before.version + 1)
            store.put_account(uow, made, {})
            return made

        made = self._database.write(write)
        self._directory.reload()
        return made

    def test(self, account_id: str) -> list[Step]:
        """Tries an account, step by step."""
        account = self._directory.account(account_id)
        return list(self._directory.channels[account.channel].test(account))

    def put_access_keys(self, keys: Sequence[tuple[str, bytes, Sequence[str]]]) -> None:
        """Replaces the copy of API tokens."""
        self._database.write(lambda uow: store.replace_access_keys(uow, keys))
        self._directory.reload()

    def ensure_defaults(self, *, name: str, email: str) -> tuple[Brand, dict[str, str]]:
        """The brand of this name with an account of each usual channel; what is there already stays as it is."""
        if "@" not in email:
            raise Invalid(f"{email!r} is not an e-mail address.", field="email")
        picture = self._directory.reload()
        brand = next((one for one in picture.brands.values() if one.name == name), None)
        if brand is None:
            brand = self.put_brand(Brand(id="", name=name, slug=""))
        made: dict[str, str] = {}
        for channel in DEFAULT_CHANNELS:
            if channel not in self._directory.channels:
                continue
            there = self._directory.account_of(brand.id, channel)
            if there is not None:
                made[channel] = there.id
                continue
            made[channel] = self.put_account(
                account_id="",
                brand_id=brand.id,
                channel=channel,
                address=email if channel == DEFAULT_CHANNELS[0] else name,
                settings={},
                secrets={},
            ).id
        return brand, made
