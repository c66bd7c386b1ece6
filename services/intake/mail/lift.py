"""Takes large base64 files out of a mail before it is parsed, so that nothing ever holds them whole.

A run of base64 lines is replaced by a mark of one line; the parser reads what is left as it reads any mail, and whoever
meets the mark in a decoded part puts the run back, decoded piece by piece into a file. A run holds neither a boundary nor
a field, so the structure stays; each of its lines has a multiple of four characters, so decoding it alone is the same.
What does not fit these rules is not taken out. `missed` tells of a mark nobody met: then the mail must be read whole.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import SEEK_CUR, BufferedReader, BufferedWriter
from pathlib import Path

from services.kit.spool import PIECE_BYTES, Spooled, pieces

LEAST_BYTES = 64 * 1024  # shorter runs stay
_LINE_BYTES = 64 * 1024  # of a longer line, read at once; a multiple of four
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NUMBER_BYTES = 6
_ENDS = b"\r\n"


@dataclass(slots=True)
class Lifted:
    """A mail without its large runs: `raw`, and where they were. Runs that are put back are written to `sink`."""

    source: Spooled
    sink: BufferedWriter
    raw: bytes = b""
    runs: list[tuple[int, int]] = field(default_factory=list)  # start and end in `source`
    _met: set[int] = field(default_factory=set)
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(12))

    @property
    def missed(self) -> bool:
        """Whether a run was not put back anywhere."""
        return len(self._met) < len(self.runs)

    def mark(self, number: int) -> bytes:
        """The line that stands for a run."""
        return base64.b64encode(self._secret + number.to_bytes(_NUMBER_BYTES, "big"))

    def restored(self, content: bytes) -> bytes | Spooled:
        """A decoded part with its runs put back; the same bytes when there are none in it."""
        if not self.runs:
            return content
        parts = list(self._parts(content))
        if len(parts) == 1:
            return content
        start = self.sink.tell()
        for text, number, decoded in parts:
            self.sink.write(text)
            if number >= 0:
                self._met.add(number)
                first, last = self.runs[number]
                run = pieces(Spooled(self.source.path, self.source.start + first, last - first))
                for piece in _decoded(run) if decoded else run:
                    self.sink.write(piece)
        self.sink.flush()  # a text is read again at once
        return Spooled(self.sink.name, start, self.sink.tell() - start)

    def _parts(self, content: bytes) -> Iterator[tuple[bytes, int, bool]]:
        """What stands before each mark, its run's number (-1 after the last), and whether it was decoded with the part."""
        as_text = base64.b64encode(self._secret)
        at = 0
        while True:
            found = [(place, mark) for mark in (self._secret, as_text) if (place := content.find(mark, at)) >= 0]
            if not found:
                yield content[at:], -1, False
                return
            place, mark = min(found)
            end = place + len(mark) + (_NUMBER_BYTES if mark is self._secret else _NUMBER_BYTES // 3 * 4)
            number = content[place + len(mark) : end]
            if mark is as_text:
                number = binascii.a2b_base64(number)
            yield content[at:place], int.from_bytes(number, "big"), mark is self._secret
            at = end


def _decoded(run: Iterator[bytes]) -> Iterator[bytes]:
    left = b""
    for piece in run:
        clean = left + piece.translate(None, _ENDS)
        whole = len(clean) - len(clean) % 4
        left = clean[whole:]
        yield binascii.a2b_base64(clean[:whole])


def lift(source: Spooled, sink: BufferedWriter, *, least: int = LEAST_BYTES) -> Lifted:
    """Reads a mail once and takes out its runs of `least` bytes and more."""
    lifted = Lifted(source, sink)
    kept, at = [], 0
    for start, end in _runs(source, least):
        kept += [source[at:start], lifted.mark(len(lifted.runs))]
        lifted.runs.append((start, end))
        at = end
    lifted.raw = b"".join([*kept, source[at:]])
    return lifted


def _runs(source: Spooled, least: int) -> Iterator[tuple[int, int]]:
    """Where the body of a part that says base64 is nothing but that: from its first line to the end of its last one."""
    at = start = end = odd = 0  # before `odd`, lines must be looked at one by one
    heading, encoded, fresh = True, False, True
    with Path(source.path).open("rb") as file:
        file.seek(source.start)
        while line := file.readline(min(_LINE_BYTES, source.size - at)):
            text = line.rstrip(_ENDS)
            at += len(line)
            if fresh and text.startswith(b"--"):
                if end - start >= least:
                    yield start, end
                heading, encoded, start, end = True, False, 0, 0
            elif heading:
                encoded = encoded or b"base64" in text.lower()
                heading = not fresh or bool(text.strip())
                start = end = at
            elif encoded:
                encoded = len(text) % 4 == 0 and not text.translate(None, _BASE64)
                if encoded and at >= odd:
                    at += _like(file, line, source.size - at)
                    odd = at + PIECE_BYTES
                if encoded:
                    end = at - len(line) + len(text)
            fresh = line.endswith(b"\n")
    if end - start >= least:
        yield start, end


def _like(file: BufferedReader, line: bytes, left: int) -> int:
    """Passes over the lines that follow, many at a time, while they are like this one; how many bytes they are."""
    many = min(PIECE_BYTES, left) // len(line)
    ends = line[len(line.rstrip(_ENDS)) :]
    passed = 0
    while ends and many and left - passed >= many * len(line):
        block = file.read(many * len(line))
        if not block.endswith(ends) or block.translate(None, _BASE64) != ends * many:
            file.seek(-len(block), SEEK_CUR)
            break
        passed += len(block)
    return passed
