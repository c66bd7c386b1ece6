"""The keyboard: every command, its key, its words. The sheet, the palette and the dispatcher in the browser read this one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


def N_(message: str) -> str:  # noqa: N802 gettext's own name for "translate me later"
    """Marks a message for the catalogs; it is translated where it is shown."""
    return message


@dataclass(frozen=True, slots=True)
class Command:
    """One thing the keyboard does: `key` is the character typed, "g i" a sequence; fixed ones cannot be remapped."""

    name: str
    key: str
    label: str
    group: str
    fixed: bool = False


MOVE, ACT, GO, LISTEN = N_("Move"), N_("Act on the ticket"), N_("Go to"), N_("Mentions and alerts")

COMMANDS: tuple[Command, ...] = (
    Command("next", "j", N_("Next row"), MOVE),
    Command("previous", "k", N_("Previous row"), MOVE),
    Command("open", "Enter", N_("Into the conversation"), MOVE, fixed=True),
    Command("out", "Escape", N_("Out: menu, composer, list"), MOVE, fixed=True),
    Command("next-message", "J", N_("Next message"), MOVE),
    Command("previous-message", "K", N_("Previous message"), MOVE),
    Command("quoted", "q", N_("Show or hide quoted text"), MOVE),
    Command("context", "i", N_("Customer pane"), MOVE),
    Command("fresh", "N", N_("Show the new rows"), MOVE),
    Command("search", "/", N_("Search"), MOVE),
    Command("palette", "Ctrl+K", N_("Palette: go, do, find"), MOVE, fixed=True),
    Command("sheet", "?", N_("This sheet"), MOVE),
    Command("reply", "r", N_("Reply"), ACT),
    Command("send", "Ctrl+Enter", N_("Send"), ACT, fixed=True),
    Command("send-solve", "Ctrl+Shift+Enter", N_("Send & solve"), ACT, fixed=True),
    Command("note", "n", N_("Internal note"), ACT),
    Command("take", "m", N_("Take it, claim it"), ACT),
    Command("assign", "a", N_("Assign"), ACT),
    Command("tags", "t", N_("Tags"), ACT),
    Command("priority", "p", N_("Priority"), ACT),
    Command("solve", "e", N_("Solve"), ACT),
    Command("wait", "w", N_("Wait for the customer"), ACT),
    Command("spam", "!", N_("Spam"), ACT),
    Command("undo", "u", N_("Undo the last act"), ACT),
    Command("link", "l", N_("Copy the link"), ACT),
    Command("create", "c", N_("New ticket to this customer"), ACT),
    Command("go-inbox", "g i", N_("Inbox"), GO),
    Command("go-mentions", "g m", N_("Mentions"), GO),
    Command("go-alerts", "g a", N_("Alerts"), GO),
    Command("go-search", "g s", N_("Search"), GO),
    Command("go-customers", "g c", N_("Customers"), GO),
    Command("go-operations", "g o", N_("Operations"), GO),
    Command("tone-negative", "1", N_("Tone: negative"), LISTEN),
    Command("tone-neutral", "2", N_("Tone: neutral"), LISTEN),
    Command("tone-positive", "3", N_("Tone: positive"), LISTEN),
    Command("original", "o", N_("Open the original"), LISTEN),
    Command("ticket", "T", N_("Open a ticket"), LISTEN),
    Command("mute", "z", N_("Mute until…"), LISTEN),
    Command("false-alarm", "f", N_("False alarm"), LISTEN),
    Command("escalate", "E", N_("Escalate"), LISTEN),
)


def remapped(keys: Mapping[str, str]) -> tuple[Command, ...]:
    """The table with a person's own keys in it."""
    return tuple(
        Command(c.name, keys[c.name], c.label, c.group) if c.name in keys and not c.fixed else c for c in COMMANDS
    )
