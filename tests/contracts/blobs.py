"""The contract of every store behind `kit.blobs.Blobs`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.kit.blobs import Blobs, sweep
from services.kit.errors import Internal, NotFound
from services.kit.spool import Spooled, pieces, sha256

FUTURE = datetime.now(UTC) + timedelta(hours=1)


class BlobsContract(ABC):
    """Subclass and give `blobs`, empty."""

    @pytest.fixture
    @abstractmethod
    def blobs(self) -> Any: ...

    @pytest.mark.parametrize("data", [b"", b"\x00\xff" * 1000, b"x" * 3_000_000])
    def test_what_was_put_comes_back_byte_for_byte(self, blobs: Blobs, data: bytes) -> None:
        blobs.put("intake/con_1/0", data)

        assert blobs.get("intake/con_1/0") == data
        with blobs.open("intake/con_1/0") as file:
            assert file.read(10) == data[:10]

    def test_what_lies_in_a_file_is_stored_and_fetched_without_holding_it(self, blobs: Blobs, tmp_path: Path) -> None:
        data = b"0123456789" * 100_000
        (tmp_path / "spooled").write_bytes(b"before" + data + b"after")
        blobs.put("intake/con_1/0", Spooled(str(tmp_path / "spooled"), 6, len(data)))

        fetched = blobs.fetch("intake/con_1/0")

        assert blobs.get("intake/con_1/0") == data
        assert (len(fetched), fetched[5:15], sha256(fetched)) == (len(data), b"5678901234", sha256(data))
        assert b"".join(pieces(fetched)) == data
        with pytest.raises(NotFound):
            blobs.fetch("intake/con_1/1")

    def test_the_same_key_again_replaces_it(self, blobs: Blobs) -> None:
        blobs.put("intake/con_1/0", b"one")
        blobs.put("intake/con_1/0", b"two")

        assert blobs.get("intake/con_1/0") == b"two"

    def test_what_is_not_there_is_not_found_and_deleting_it_is_nothing(self, blobs: Blobs) -> None:
        with pytest.raises(NotFound):
            blobs.get("intake/con_1/0")
        with pytest.raises(NotFound):
            blobs.open("intake/con_1/0")
        with pytest.raises(NotFound):
            blobs.written_at("intake/con_1/0")
        blobs.delete("intake/con_1/0")

        assert list(blobs.keys("")) == []

    def test_deleting_one_leaves_the_others(self, blobs: Blobs) -> None:
        for number in range(3):
            blobs.put(f"intake/con_1/{number}", b"x")

        blobs.delete("intake/con_1/1")

        assert sorted(blobs.keys("intake/con_1/")) == ["intake/con_1/0", "intake/con_1/2"]

    def test_keys_are_found_by_prefix(self, blobs: Blobs) -> None:
        for key in ("intake/con_1/0", "intake/con_12/0", "tickets/int_1/body", "desk/x"):
            blobs.put(key, b"x")

        assert sorted(blobs.keys("intake/con_1")) == ["intake/con_1/0", "intake/con_12/0"]
        assert list(blobs.keys("intake/con_1/")) == ["intake/con_1/0"]
        assert list(blobs.keys("tickets/")) == ["tickets/int_1/body"]
        assert len(list(blobs.keys(""))) == 4
        assert list(blobs.keys("social/")) == []

    @pytest.mark.parametrize(
        "key",
        [
            "",
            "/etc/passwd",
            "../x/y",
            "intake/../../x",
            "intake/.hidden",
            "intake//0",
            "intake/a b",
            "intake/é",
            "a\n/b",
        ],
    )
    def test_a_key_of_another_form_is_refused(self, blobs: Blobs, key: str) -> None:
        for act in (lambda: blobs.put(key, b"x"), lambda: blobs.get(key), lambda: blobs.delete(key)):
            with pytest.raises(Internal):
                act()

    def test_the_sweep_removes_what_is_old_and_named_by_no_row(self, blobs: Blobs) -> None:
        for number in range(3):
            blobs.put(f"intake/con_{number}/0", b"x")
        blobs.put("tickets/int_1/0", b"x")

        young = sweep(blobs, "intake/", before=FUTURE - timedelta(days=1), used=lambda _: [])
        removed = sweep(blobs, "intake/", before=FUTURE, used=lambda keys: [key for key in keys if "con_1" in key])

        assert (young, removed) == (0, 2)
        assert sorted(blobs.keys("")) == ["intake/con_1/0", "tickets/int_1/0"]

    def test_clearing_what_is_half_written_leaves_what_is_stored(self, blobs: Blobs) -> None:
        blobs.clear()
        blobs.put("intake/con_1/0", b"x")

        blobs.clear()

        assert list(blobs.keys("")) == ["intake/con_1/0"]
        blobs.put("intake/con_1/1", b"y")

    def test_ping_leaves_no_key_of_a_service(self, blobs: Blobs) -> None:
        blobs.ping()

        assert list(blobs.keys("intake/")) == []
