"""One file per channel; the file's name is the channel's id. Nobody outside this folder compares ids.

A channel sees `services.intake.ports` and the standard library; no store, no bus, no ticket.
"""

from __future__ import annotations

import importlib
import pkgutil

from services.intake.ports import Channel, Tools


def found() -> list[str]:
    """Ids of all channels there are, in order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def build_all(tools: Tools) -> dict[str, Channel]:
    """Every channel, by id, built with the same tools."""
    channels: dict[str, Channel] = {}
    for name in found():
        channel: Channel = importlib.import_module(f"{__name__}.{name}").build(tools)
        channels[name] = channel
    return channels
