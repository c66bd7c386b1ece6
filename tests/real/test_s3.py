"""Blobs in a real S3 gateway."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from services.kit.blobs_s3 import S3Blobs
from services.kit.config import Settings
from services.kit.errors import Invalid, NotFound, Unavailable
from services.kit.spool import Spooled, sha256
from tests.contracts.blobs import BlobsContract
from tests.kitlib import wait_until


@pytest.fixture
def settings(s3_url: str, own_name: str, tmp_path: Path) -> Settings:
    return replace(Settings(), data=tmp_path, blobs=s3_url.replace("/?", f"/{own_name}?"))


@pytest.fixture
def blobs(settings: Settings) -> Iterator[S3Blobs]:
    """A bucket of its own."""
    made = S3Blobs.for_settings(settings)
    made.prepare()
    yield made
    for key in list(made.keys("")):
        made.delete(key)
    made._client.delete_bucket(Bucket=made._bucket)


class TestS3Blobs(BlobsContract):
    @pytest.fixture
    def blobs(self, blobs: S3Blobs) -> S3Blobs:  # the module's, under the name of the contract
        return blobs


def test_the_bucket_is_made_once_and_found_by_the_next(blobs: S3Blobs, settings: Settings) -> None:
    blobs.put("intake/con_1/0", b"x")

    second = S3Blobs.for_settings(settings)
    second.prepare()

    assert second.get("intake/con_1/0") == b"x"


def test_fifty_megabytes_pass_in_both_directions_without_being_held(
    blobs: S3Blobs, settings: Settings, tmp_path: Path
) -> None:
    piece = os.urandom(1_000_000)
    with (tmp_path / "large").open("wb") as file:
        for _ in range(50):
            file.write(piece)
    sent = Spooled(str(tmp_path / "large"), 3, 49_999_990)

    tracemalloc.start()
    blobs.put("intake/con_1/0", sent)
    fetched = blobs.fetch("intake/con_1/0")
    hashed = sha256(fetched)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert (len(fetched), hashed) == (49_999_990, sha256(sent))
    assert peak < 25_000_000
    del fetched
    assert list((settings.data / "fetched" / "spool").iterdir()) == []


def test_a_part_that_cannot_be_read_leaves_no_upload_behind(blobs: S3Blobs, tmp_path: Path) -> None:
    (tmp_path / "vanishing").write_bytes(b"x" * 20_000_000)
    content = _Vanishing(str(tmp_path / "vanishing"), 0, 20_000_000)

    with pytest.raises(FileNotFoundError):
        blobs.put("intake/con_1/0", content)

    assert "Uploads" not in blobs._client.list_multipart_uploads(Bucket=blobs._bucket)
    with pytest.raises(NotFound):
        blobs.get("intake/con_1/0")


class _Vanishing(Spooled):
    __slots__ = ()

    def __getitem__(self, wanted: slice, /) -> bytes:
        if wanted.start:
            Path(self.path).unlink()
        return super().__getitem__(wanted)


def test_an_upload_that_a_killed_process_left_ends_after_a_day_and_not_before(
    blobs: S3Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs._client.create_multipart_upload(Bucket=blobs._bucket, Key="intake/con_1/0")

    blobs.clear()
    young = blobs._client.list_multipart_uploads(Bucket=blobs._bucket)["Uploads"]
    monkeypatch.setattr("services.kit.blobs_s3._STALE", timedelta(seconds=-5))
    blobs.clear()

    assert len(young) == 1
    assert "Uploads" not in blobs._client.list_multipart_uploads(Bucket=blobs._bucket)


def test_a_missing_bucket_is_reached_but_stores_nothing_and_says_what_to_do(settings: Settings) -> None:
    blobs = S3Blobs.for_settings(settings)

    blobs.reach()
    blobs.clear()
    with pytest.raises(Unavailable, match="ascolto migrate"):
        blobs.put("intake/con_1/0", b"x")


def test_a_wrong_secret_is_refused_by_name_of_the_setting(settings: Settings) -> None:
    address = urlsplit(settings.blobs)
    wrong = settings.blobs.replace(f":{address.password}@", ":wrong@")

    with pytest.raises(Unavailable, match="ASCOLTO_BLOBS") as caught:
        S3Blobs.for_settings(replace(settings, blobs=wrong)).reach()

    assert "wrong@" not in caught.value.message


def test_a_storage_that_is_away_is_unavailable_soon_and_stops_no_start(settings: Settings) -> None:
    away = settings.blobs.replace(str(urlsplit(settings.blobs).port), "9")
    blobs = S3Blobs.for_settings(replace(settings, blobs=away))
    began = datetime.now(UTC)

    blobs.clear()
    for act in (blobs.reach, blobs.ping, blobs.prepare, lambda: list(blobs.keys(""))):
        with pytest.raises(Unavailable, match="does not answer"):
            act()

    assert datetime.now(UTC) - began < timedelta(seconds=60)


@pytest.mark.parametrize("url", ["s3://host:1", "s3://key@host/bucket", "s3://host/bucket/deep", "s3://host/b?tsl=0"])
def test_an_address_of_another_form_is_refused(settings: Settings, url: str) -> None:
    with pytest.raises(Invalid, match="s3://key:secret@host:port/bucket"):
        S3Blobs.for_settings(replace(settings, blobs=url))


def test_what_was_fetched_long_ago_by_a_killed_process_goes(blobs: S3Blobs, settings: Settings) -> None:
    folder = settings.data / "fetched" / "spool"
    folder.mkdir(parents=True)
    for name, age in (("old", 100_000), ("young", 10)):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (datetime.now(UTC).timestamp() - age,) * 2)

    blobs.clear()

    assert wait_until(lambda: [path.name for path in folder.iterdir()] == ["young"])
