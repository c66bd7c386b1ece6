"""Blobs in a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.kit.application import Application
from services.kit.blobs import FolderBlobs
from services.kit.config import Settings
from services.kit.errors import Unavailable
from tests.contracts.blobs import BlobsContract


class TestFolderBlobs(BlobsContract):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> FolderBlobs:
        return FolderBlobs(tmp_path / "blobs")


def test_a_blob_and_every_folder_on_its_way_are_synced_before_put_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(tmp_path).as_posix())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)

    FolderBlobs(tmp_path / "blobs").put("intake/con_1/0", b"x")

    assert synced[0].startswith("blobs/.parts/")
    assert set(synced[1:]) >= {"blobs/intake/con_1", "blobs/intake", "blobs"}


def test_what_a_killed_process_left_half_written_goes_with_the_next_start(tmp_path: Path) -> None:
    left = [tmp_path / "blobs" / ".parts" / "half", tmp_path / "spool" / "half"]
    for path in left:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")

    with Application(Settings(data=tmp_path)) as app:
        app.work()
        assert [path for path in left if path.exists()] == []


def test_what_cannot_be_stored_is_unavailable_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "intake").write_text("a file where a folder must be")

    with pytest.raises(Unavailable, match="cannot be stored"):
        FolderBlobs(tmp_path / "blobs").put("intake/con_1/0", b"x")

    assert list((tmp_path / "blobs" / ".parts").iterdir()) == []
