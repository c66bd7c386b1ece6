"""What every channel file promises. Fixtures are named by their trouble; those that begin with `bad-` must be refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.intake.domain.channel import Account
from services.intake.domain.contact import Inbound, RawContact
from services.intake.ports import Channel, OverBudget, RawRequest, Unparsable
from services.kit.clock import ManualClock
from services.kit.errors import Forbidden, Unauthenticated

MEDIA = {".eml": "message/rfc822", ".json": "application/json"}
GARBAGE = (b"", b"\x00", b"\xff\xfe\xfa", b"{", b"[[[[", b'{"a":' * 2000, b"null", b"7", b'"\\ud800"')


def fixtures(folder: Path) -> list[Path]:
    """The channel's samples."""
    return sorted(path for path in folder.iterdir() if path.suffix in MEDIA) if folder.is_dir() else []


def account_for(channel: Channel) -> Account:
    """An account as it is right after it was made."""
    return Account(
        id="acc_1",
        brand_id="brd_1",
        channel=channel.id,
        address="aiuto@lumaca.example",
        brand_name="Lumaca",
        brand_slug="lumaca",
    )


def raw_of(body: bytes, suffix: str) -> RawContact:
    """One raw contact with these bytes."""
    return RawContact("acc_1", "key", body, MEDIA[suffix], received_at=ManualClock().now())


class ChannelContract:
    """Give `channel`, `folder` of its fixtures and `page` of its documentation."""

    channel: Channel
    folder: Path
    page: Path

    def parse(self, raw: RawContact) -> list[Inbound]:
        return list(self.channel.parse(raw, account_for(self.channel), budget_s=20.0))

    def check_names(self) -> None:
        fields = [field.name for field in self.channel.fields]
        assert len(set(fields)) == len(fields)
        assert all(field.label for field in self.channel.fields)
        if self.channel.capabilities.max_length:
            assert self.channel.capabilities.length_unit

    def check_documented(self) -> None:
        assert self.page.is_file(), f"write {self.page}"
        text = self.page.read_text("utf-8")
        for field in self.channel.fields:
            assert f"`{field.name}`" in text, f"{self.page} does not explain the setting {field.name}"

    def check_fixtures(self) -> None:
        found = fixtures(self.folder)
        assert found, f"put samples into {self.folder}"
        for path in found:
            raw = raw_of(path.read_bytes(), path.suffix)
            if path.name.startswith("bad-"):
                with pytest.raises(Unparsable) as told:
                    self.parse(raw)
                assert told.value.message
                continue
            first, second = self.parse(raw), self.parse(raw)
            assert first, path.name
            assert [one.event_key for one in first] == [one.event_key for one in second], path.name
            assert len({one.event_key for one in first}) == len(first), path.name
            assert all(one.event_key and one.external_id for one in first), path.name

    def check_garbage(self) -> None:
        for body in GARBAGE:
            try:
                found = self.parse(raw_of(body, ".json"))
            except (Unparsable, OverBudget):
                continue
            assert all(one.event_key for one in found)

    def check_forgery(self) -> None:
        verify = getattr(self.channel, "verify", None)
        if verify is None:
            return
        for headers in ({}, {"webhook-id": "m", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}):
            with pytest.raises((Unauthenticated, Forbidden)):
                verify(RawRequest("POST", "/", headers=headers, body=b"{}"), account_for(self.channel))

    def check_test_button(self) -> None:
        for step in self.channel.test(account_for(self.channel)):
            assert step.name
