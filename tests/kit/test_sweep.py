"""Blobs without a row go after a day; blobs with one stay, however old."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from services.kit.blobs import FolderBlobs
from services.kit.clock import SystemClock
from services.kit.sweep import BlobSweeper


@pytest.fixture
def blobs(tmp_path):
    made = FolderBlobs(tmp_path)
    old = (SystemClock().now() - timedelta(hours=25)).timestamp()
    for key in ("intake/con_known/0", "intake/con_lost/0", "intake/con_fresh/0", "tickets/int_lost/0"):
        made.put(key, b"x")
        if "fresh" not in key:
            os.utime(tmp_path / key, (old, old))
    return made


def test_only_what_no_row_names_goes_after_a_day(blobs):
    sweeper = BlobSweeper("intake", blobs, SystemClock(), lambda owners: [one for one in owners if one == "con_known"])

    assert sweeper.run_once() == 1

    assert sorted(blobs.keys("")) == ["intake/con_fresh/0", "intake/con_known/0", "tickets/int_lost/0"]
