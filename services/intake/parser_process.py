"""Parses mail in processes of their own, so that no mail can take more than its share of time, memory or life.

The parent side is `MailParser`: two children, one for ordinary mail and one for suspects (large or many parts), each
started when first needed and again after it died. The child side is `main`. They speak length-prefixed MessagePack.
A mail that lies in a file is read there by the child, its large files are written to another: neither side holds them.

A mail's budget is 2 s of processor time (SIGPROF ends the child) and 512 MB above what the child began with
(RLIMIT_AS). The child ends by itself when its parent does, as its standard input then closes.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BufferedWriter
from pathlib import Path
from typing import BinaryIO

import msgspec

from services.intake.mail import limits
from services.intake.mail.lift import LEAST_BYTES, lift
from services.intake.mail.parse import parse_mail
from services.intake.mail.parsed import MailFile, ParsedMail, Unparsable
from services.kit.errors import Unavailable
from services.kit.spool import Content, Scratch, Spool, Spooled

TOO_COSTLY = "it would take too much time or memory"
_LENGTH = struct.Struct(">I")
_FRAME_BYTES = 4 * 1024 * 1024  # mails are handed over in frames of about this size
SUSPECT_BYTES = 1024 * 1024
_SUSPECT_FENCES = 500  # lines that begin with two dashes: many parts
_START_S = 30.0  # a child that loads its libraries on a busy machine


class Job(msgspec.Struct, array_like=True):
    """One mail to parse; when it lies in a file, `files` is where its own large files go."""

    raw: bytes | Spooled
    files: str = ""


class Answer(msgspec.Struct, array_like=True):
    """What the child says of one mail: the mail, or why not."""

    mail: ParsedMail | None
    reason: str = ""


class TooSlow(Exception):
    """The caller's own time was up before the mail's budget was: it may still be parsed with more time."""


class MailParser:
    """The parent's side. Safe to share between threads; each child serves one caller at a time."""

    def __init__(
        self, spool: Spool, *, cpu_s: float = limits.PARSE_CPU_S, memory_bytes: int = limits.PARSE_MEMORY_BYTES
    ) -> None:
        self._ordinary = _Child(spool, cpu_s, memory_bytes)
        self._suspects = _Child(spool, cpu_s, memory_bytes)

    def parse(self, raw: Content, *, budget_s: float = limits.PARSE_WALL_S) -> ParsedMail:
        """The mail. Raises `Unparsable` when it cannot be read within its budget, `TooSlow` when not within `budget_s`."""
        answer = self.parse_many([raw], budget_s=budget_s)[0]
        if isinstance(answer, ParsedMail):
            return answer
        raise answer

    def parse_many(
        self, raws: Sequence[Content], *, budget_s: float = limits.PARSE_WALL_S
    ) -> list[ParsedMail | Unparsable | TooSlow]:
        """Each mail's outcome, in order. One that kills the child is `Unparsable`; the others are parsed all the same."""
        results: list[ParsedMail | Unparsable | TooSlow] = [TooSlow()] * len(raws)
        for child, wanted in ((self._ordinary, False), (self._suspects, True)):
            mine = [at for at, raw in enumerate(raws) if is_suspect(raw) is wanted]
            for frame in _frames(mine, raws):
                for at, outcome in zip(frame, child.run([raws[at] for at in frame], budget_s), strict=True):
                    results[at] = outcome
        return results

    def close(self) -> None:
        """Ends both children."""
        self._ordinary.close()
        self._suspects.close()


def is_suspect(raw: Content) -> bool:
    """Whether a mail may be slow to parse: such mail waits for its own kind only."""
    return len(raw) > SUSPECT_BYTES or bytes(raw).count(b"\n--") > _SUSPECT_FENCES


def _frames(positions: list[int], raws: Sequence[Content]) -> Iterator[list[int]]:
    frame: list[int] = []
    size = 0
    for at in positions:
        if frame and size + len(raws[at]) > _FRAME_BYTES:
            yield frame
            frame, size = [], 0
        frame.append(at)
        size += len(raws[at])
    if frame:
        yield frame


class _Child:
    """One child process and the lock of who talks to it."""

    def __init__(self, spool: Spool, cpu_s: float, memory_bytes: int) -> None:
        self._spool = spool
        self._arguments = [str(cpu_s), str(memory_bytes)]
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._decoder = msgspec.msgpack.Decoder(Answer)
        self._encoder = msgspec.msgpack.Encoder()
        self._buffer = bytearray()

    def run(self, raws: list[Content], budget_s: float) -> list[ParsedMail | Unparsable | TooSlow]:
        if not self._lock.acquire(timeout=budget_s):
            return [TooSlow() for _ in raws]
        try:
            return self._run(raws, budget_s)
        finally:
            self._lock.release()

    def _run(self, raws: list[Content], budget_s: float) -> list[ParsedMail | Unparsable | TooSlow]:
        files = [self._spool.scratch() if isinstance(raw, Spooled) else None for raw in raws]
        results: list[ParsedMail | Unparsable | TooSlow] = []
        while len(results) < len(raws):
            process = self._started()
            before = len(results)
            try:
                self._send(process, [_job(raw, own) for raw, own in zip(raws[before:], files[before:], strict=True)])
                while len(results) < len(raws):
                    frame = self._receive(process, budget_s)
                    if frame is None:
                        self._end()
                        results.append(TooSlow())
                        break
                    answer = self._decoder.decode(frame)
                    mail = answer.mail and _owned(answer.mail, files[len(results)])
                    results.append(mail or Unparsable(answer.reason))
            except (OSError, EOFError, msgspec.DecodeError):
                self._end()
                results.append(Unparsable(TOO_COSTLY))
        return results

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
        command = [sys.executable, "-m", "services.intake.parser_process", *self._arguments]
        self._process = subprocess.Popen(  # noqa: S603 (our own module)
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            bufsize=0,
        )
        try:
            ready = self._receive(self._process, _START_S)
        except (OSError, EOFError) as error:
            self._end()
            raise Unavailable(
                "The process that parses mail does not start; see the machine's memory limits."
            ) from error
        if ready is None:
            self._end()
            raise Unavailable("The process that parses mail does not start in time.")
        return self._process

    def _send(self, process: subprocess.Popen[bytes], jobs: list[Job]) -> None:
        assert process.stdin is not None
        data = self._encoder.encode(jobs)
        view = memoryview(_LENGTH.pack(len(data)) + data)
        descriptor = process.stdin.fileno()
        while view:
            view = view[os.write(descriptor, view[: 1024 * 1024]) :]

    def _receive(self, process: subprocess.Popen[bytes], budget_s: float) -> bytes | None:
        """One frame, or None when it did not come in time. Raises `EOFError` when the child is gone."""
        assert process.stdout is not None
        descriptor = process.stdout.fileno()
        deadline = time.monotonic() + budget_s
        while len(self._buffer) < 4 or len(self._buffer) < 4 + _LENGTH.unpack_from(self._buffer)[0]:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                return None
            data = os.read(descriptor, 1024 * 1024)
            if not data:
                raise EOFError
            self._buffer += data
        end = 4 + int(_LENGTH.unpack_from(self._buffer)[0])
        frame = bytes(self._buffer[4:end])
        del self._buffer[:end]
        return frame

    def _end(self) -> None:
        self._buffer.clear()
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def close(self) -> None:
        with self._lock:
            self._end()


def _job(raw: Content, files: Scratch | None) -> Job:
    if isinstance(raw, Spooled) and files is not None:
        return Job(replace(raw, owner=None), str(files.path))
    return Job(bytes(raw))


def _owned(mail: ParsedMail, files: Scratch | None) -> ParsedMail:
    """The mail with its files holding the scratch they lie in."""
    if files is None:
        return mail
    return replace(mail, files=tuple(_holding(one, files) for one in mail.files))


def _holding(one: MailFile, files: Scratch) -> MailFile:
    return replace(one, content=replace(one.content, owner=files)) if isinstance(one.content, Spooled) else one


def main() -> int:
    """The child's loop: frames of jobs in, one answer a mail out, until the input closes."""
    cpu_s, memory_bytes = float(sys.argv[1]), int(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the parent's business
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing a library prints may come between two frames
    _warm_up()
    with Path("/proc/self/statm").open(encoding="ascii") as statm:
        base = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (base + memory_bytes, base + memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _write(sink, b"ready")
    decoder = msgspec.msgpack.Decoder(list[Job])
    encoder = msgspec.msgpack.Encoder()
    while (head := source.read(4)) and len(head) == 4:
        data = source.read(_LENGTH.unpack(head)[0])
        for job in decoder.decode(data):
            signal.setitimer(signal.ITIMER_PROF, cpu_s)
            answer = encoder.encode(_answer(job))
            signal.setitimer(signal.ITIMER_PROF, 0)
            _write(sink, answer)
    return 0


def _answer(job: Job) -> Answer:
    try:
        return Answer(_parsed(job))
    except Unparsable as error:
        return Answer(None, error.reason)
    except OSError as error:
        return Answer(None, f"its file cannot be read, or those in it not written: {error.strerror}")


def _parsed(job: Job) -> ParsedMail:
    if isinstance(job.raw, bytes):
        return parse_mail(job.raw)
    if len(job.raw) > limits.RAW_BYTES:
        raise Unparsable(f"the mail is larger than {limits.RAW_BYTES // 1024 // 1024} MiB")
    with Path(job.files).open("wb") as sink:
        lifted = lift(job.raw, sink)
        mail = parse_mail(lifted.raw, lifted)
        if lifted.missed:
            mail = parse_mail(bytes(job.raw))
        return replace(mail, files=tuple(_written(one, sink) for one in mail.files))


def _written(one: MailFile, sink: BufferedWriter) -> MailFile:
    """The file, in `sink` when it is large."""
    if isinstance(one.content, Spooled) or len(one.content) < LEAST_BYTES:
        return one
    start = sink.tell()
    sink.write(one.content)
    return replace(one, content=Spooled(sink.name, start, len(one.content)))


def _warm_up() -> None:
    """Loads what parsing loads lazily, so that the first mail does not pay for it, nor its memory count as the mail's."""
    import charset_normalizer  # noqa: F401 (loaded before the child gives up its rights)
    import tnefparse  # noqa: F401 (as above)

    parse_mail(
        b"From: a@example.org\nSubject: warm up\nContent-Type: text/html; charset=us-ascii\n\n"
        b"<p>Questo messaggio serve solo a caricare le tabelle prima del primo messaggio vero.</p>\xe8\xe9\xf2\xe0\xf9\xec\xe8\xe9\xe0"
    )


def _write(sink: BinaryIO, data: bytes) -> None:
    sink.write(_LENGTH.pack(len(data)) + data)
    sink.flush()


if __name__ == "__main__":
    raise SystemExit(main())
