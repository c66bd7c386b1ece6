"""Draws every page from the samples: for the tests, and to look at (`python -m tests.desk.pages.draw FOLDER`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.desk.pages.views import Choice, Failure, Notice, View
from services.desk.render import Pages
from tests.desk.pages import samples

PAGES = Pages()
SORTS = (Choice("due", "Promessa", chosen=True), Choice("longest", "Attesa"), Choice("newest", "Più nuove"))


def _inbox(language: str, *, rows: Any = None, pieces: Any = None, person: Any = None, **more: Any) -> str:
    listed = samples.rows() if rows is None else rows
    context: dict[str, Any] = {
        "view": View("mine", "Le mie", 14, 2, current=True),
        "views": samples.views(),
        "rows": listed,
        "sorts": SORTS,
        "sort_words": "per promessa",
        "total": 14 if listed else 0,
        "total_everywhere": 18402,
        "sorted_by": "",
        "more": "",
        "list_failure": None,
        "pieces": pieces or [],
        "whole": False,
        "all_tags": ("reso", "rotto all’arrivo"),
        **more,
    }
    notice = context.pop("notice", None)
    shell = samples.shell(
        "inbox", "La lampada è arrivata con il vetro rotto", app=True, notice=notice, **(person or {})
    )
    return PAGES.page("inbox.html", samples.tongue(language), shell, **context)


def inbox(language: str = "it", **person: Any) -> str:
    return _inbox(
        language,
        pieces=samples.letters(),
        head=samples.head(),
        composer=samples.composer(),
        context=samples.context(),
        person=person,
    )


def inbox_list(language: str = "it", **person: Any) -> str:
    return _inbox(language, person=person)


def inbox_empty(language: str = "it", **person: Any) -> str:
    return _inbox(language, rows=[], person=person, list_failure=None)


def inbox_failed(language: str = "it", **person: Any) -> str:
    return _inbox(language, rows=[], person=person, list_failure=Failure("L’elenco non risponde dalle 15:09.", "8f3a"))


def chat(language: str = "it", **person: Any) -> str:
    live = samples.composer(
        channel=samples.CHAT, via="in chat a", recipient="Bice Lontananza", live=True, recipients=False, undo_s=0,
        new_recipient=False, reply=samples.Draft(key="k3"),
    )  # fmt: skip
    head = samples.head(
        number=48224, subject="Cambio del paralume Nina con la misura grande", channel=samples.CHAT, due="", live=True
    )
    return _inbox(
        language,
        pieces=samples.chat(),
        head=head,
        composer=live,
        context=samples.context(),
        person=person,
        notice=Notice("Risolta.", undo="/tickets/48224/change", fields={"state": "open"}, seconds=8),
    )


DRAWN: dict[str, Callable[..., str]] = {
    "inbox": inbox,
    "inbox-list": inbox_list,
    "inbox-empty": inbox_empty,
    "inbox-failed": inbox_failed,
    "chat": chat,
}
