"""Bytes on their way: in memory while few, in a file beyond, gone with the last reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.kit.errors import Unavailable
from services.kit.spool import Spool, Spooled, pieces


def written(spool: Spool, *parts: bytes, in_memory: int = 10) -> bytes | Spooled:
    writer = spool.writer(in_memory=in_memory)
    for part in parts:
        writer.write(part)
    content = writer.content()
    writer.close()
    assert isinstance(content, bytes | Spooled)
    return content


def test_few_bytes_stay_in_memory_and_make_no_file(tmp_path: Path) -> None:
    assert written(Spool(tmp_path), b"01234", b"56789") == b"0123456789"
    assert list(tmp_path.iterdir()) == []


def test_more_lie_in_a_file_and_read_like_bytes(tmp_path: Path) -> None:
    content = written(Spool(tmp_path), b"01234", b"56789", b"abc")

    assert isinstance(content, Spooled)
    whole = b"0123456789abc"
    assert (len(content), bytes(content), b"".join(pieces(content))) == (13, whole, whole)
    for cut in (slice(3), slice(3, 7), slice(-2, None), slice(12, 99), slice(99, None), slice(7, 3)):
        assert content[cut] == whole[cut]


def test_the_file_lasts_as_long_as_anybody_can_read_it(tmp_path: Path) -> None:
    content = written(Spool(tmp_path), b"x" * 100)
    path = next((tmp_path / "spool").iterdir())
    again = content[:5]

    assert path.exists()
    del content
    assert not path.exists()
    assert again == b"xxxxx"


def test_what_was_let_go_of_leaves_no_file(tmp_path: Path) -> None:
    writer = Spool(tmp_path).writer(in_memory=10)
    writer.write(b"x" * 100)

    writer.close()

    assert list((tmp_path / "spool").iterdir()) == []


def test_a_folder_that_takes_nothing_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file where the folder must be")
    writer = Spool(tmp_path).writer(in_memory=10)

    with pytest.raises(Unavailable, match="spool"):
        writer.write(b"x" * 100)
