"""The command line's way into a running process: a socket in the data folder, mode 0600, one JSON line each way.

A command is a function `(arguments, progress) -> result`, the same whether it runs here or is sent to the process
that owns the folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from services.kit import log
from services.kit.errors import KINDS, AscoltoError, Internal, Unavailable

Progress = Callable[[float, str], None]
Command = Callable[[Mapping[str, Any], Progress], Any]
_NAME = "control.sock"
_MAX_LINE = 1024 * 1024


@contextlib.contextmanager
def _reachable(folder: Path) -> Iterator[str]:
    """A path of the socket short enough for the kernel's 108 bytes, whatever the folder's depth."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{_NAME}" if Path("/proc/self/fd").exists() else str(folder / _NAME)
    finally:
        os.close(descriptor)


class ControlServer:
    """Answers commands while the process runs."""

    def __init__(self, folder: Path, commands: Mapping[str, Command]) -> None:
        self._folder, self._commands = folder, commands
        self._log = log.logger("control")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        (folder / _NAME).unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            with _reachable(folder) as path:
                self._socket.bind(path)
        except OSError as error:
            raise Unavailable(f"The control socket in {folder} cannot be made: {error.strerror}.") from error
        finally:
            os.umask(before)
        self._socket.listen(8)
        self._thread = threading.Thread(target=self._accept, name="control", daemon=True)

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Closes and removes the socket; commands under way end with the process."""
        with contextlib.suppress(OSError):  # already closed by the peer's side of a shutdown
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        (self._folder / _NAME).unlink(missing_ok=True)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return  # closed by `stop`
            threading.Thread(target=self._serve, args=(connection,), name="control-command", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as stream:

            def say(**message: Any) -> None:
                stream.write(json.dumps(message).encode() + b"\n")
                stream.flush()

            try:
                request = json.loads(stream.readline(_MAX_LINE))
                command = self._commands[request["command"]]
                say(result=command(request["arguments"], lambda done, what: say(progress=done, what=what)))
            except AscoltoError as error:
                say(error=error.message, kind=error.kind)
            except BrokenPipeError:
                self._log.info("control.left")
            except Exception as error:  # noqa: BLE001 (the edge of the loop: said to the asker and logged)
                self._log.exception("control.failed")
                say(
                    error=f"The running process failed at this: {type(error).__name__}. Its log says more.",
                    kind="internal",
                )


def send(folder: Path, command: str, arguments: Mapping[str, Any], progress: Progress) -> Any:
    """Has the running process do `command`; returns its result.

    Raises `ConnectionRefusedError` or `FileNotFoundError` when no process runs there, and what the command raised.
    """
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with client:
        with _reachable(folder) as path:
            client.connect(path)
        with client.makefile("rwb") as stream:
            stream.write(json.dumps({"command": command, "arguments": dict(arguments)}).encode() + b"\n")
            stream.flush()
            for line in stream:
                message = json.loads(line)
                if "progress" in message:
                    progress(message["progress"], message["what"])
                elif "error" in message:
                    raise KINDS.get(message["kind"], Internal)(message["error"])
                else:
                    return message["result"]
    raise Unavailable("The running process ended before it answered; look at its log.")
