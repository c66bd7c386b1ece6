"""The files of deployment as their tests read them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from services.kit.config import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
SETTINGS = {f"ASCOLTO_{field.name.upper()}" for field in dataclasses.fields(Settings)}
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def compose(name: str) -> dict[str, Any]:
    """A compose file, its anchors resolved, its variables not."""
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / name).read_text())
    return loaded


def ours(file: Mapping[str, Any]) -> dict[str, Any]:
    """Its services that run our image."""
    return {name: one for name, one in file["services"].items() if one["image"].startswith("ascolto:")}


def variables(text: str) -> set[str]:
    """Names of the variables that a compose file asks for."""
    return {match[1] for match in _VARIABLE.finditer(text)}


def filled(value: str, given: Mapping[str, str]) -> str:
    """A value of a compose file with its variables filled in. Source: Compose specification, Interpolation."""
    return _VARIABLE.sub(lambda match: given.get(match[1]) or (match[3] if match[2] == "-" else ""), value).replace(
        "$$", "$"
    )


def sample() -> dict[str, str]:
    """What env.sample sets."""
    lines = (DEPLOY / "env.sample").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))


def forms() -> dict[str, tuple[str, str]]:
    """Settings of env.sample that differ: embedded value, distributed value. Raises when the two are not neighbours."""
    lines = (DEPLOY / "env.sample").read_text().splitlines()
    found = {}
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if match := re.fullmatch(r"# embedded: +(\w+)=(.*)", line):
            other = re.fullmatch(rf"# distributed: +{match[1]}=(.*)", after)
            assert other, f"the distributed value of {match[1]} does not follow its embedded one"
            found[match[1]] = (match[2], other[1])
    assert len(found) == sum(line.startswith("# distributed:") for line in lines)
    return found
