"""All hits of a query as a table for a spreadsheet. Who takes them out, and what, stands in the audit log."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from html import unescape

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from services.desk.clients.base import moment
from services.desk.clients.messages import FindResponse, Hit
from services.desk.domain.roles import SEARCH_EXPORT
from services.desk.i18n import Tongue
from services.desk.pages.frame import Frame
from services.desk.pages.prose import plain
from services.desk.web.deps import Me, needs
from services.kit.errors import AscoltoError, Invalid, Unavailable

MOST = 10_000
_PAGE = 100
_MARK = re.compile(r"</?mark>")
# What a spreadsheet takes for a formula. Source: OWASP, "CSV Injection".
_FORMULA = re.compile(r"\s*[=+\-@]|[\t\r]")


def routes(frame: Frame) -> APIRouter:
    """The address of the export."""
    router = APIRouter()
    desk = frame.desk

    @router.get("/search/export", dependencies=[needs(SEARCH_EXPORT)])
    def export(request: Request, me: Me, q: str = "") -> Response:
        tongue = frame.tongue(request, me)
        if not q.strip():
            raise Invalid(tongue.text("Search for something first."), field="q")
        filters = [tuple(one.split(":", 1)) for one in request.query_params.getlist("f") if ":" in one]
        ask = partial(
            desk.clients.search.find, me.person, q[:2000], limit=_PAGE, language=tongue.language,
            time_zone=str(tongue.zone), filters=[(field, value) for field, value in filters],
        )  # fmt: skip
        first = ask()
        if first.degraded:
            raise Unavailable(
                tongue.text("The index is away, and what is shown meanwhile is not all: export later."),
                retry_after_s=30.0,
            )
        narrowed = " ".join(f"{field}:{value}" for field, value in filters)
        desk.people.note(me.user.id, "exported", "search", f"{min(first.total, MOST)} · {q[:500]} {narrowed[:200]}")
        name = f"ascolto-{tongue.now:%Y-%m-%d-%H%M}.csv"
        headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
        return StreamingResponse(_lines(tongue, first, ask), media_type="text/csv; charset=utf-8", headers=headers)

    return router


def _lines(tongue: Tongue, page: FindResponse, ask: Callable[..., FindResponse]) -> Iterator[str]:
    """The table, page by page. Where it is not all, its last line says so."""
    text = tongue.text
    head = [text("Date"), text("Kind"), text("Channel"), text("From"), text("Number"), text("Subject"), text("Text"), text("State")]  # fmt: skip
    yield "\ufeff" + _line(head)  # without the mark a spreadsheet reads other letters
    written = 0
    while True:
        for hit in page.hits[: MOST - written]:
            yield _line(_cells(tongue, hit))
        written += len(page.hits)
        if not page.next:
            return
        if written >= MOST:
            yield _line([text("These are the first %(n)s results; narrow the search for the others.", n=tongue.number(MOST))])  # fmt: skip
            return
        try:
            page = ask(after=page.next)
        except AscoltoError as error:  # it has begun to arrive: the file itself must say that it is not whole
            yield _line([text("It ends here before its time: %(reason)s", reason=error.message)])
            return


def _cells(tongue: Tongue, hit: Hit) -> list[str]:
    at = moment(hit, "occurred_at")
    return [
        tongue.local(at).isoformat(" ", "minutes")[:16] if at else "",
        tongue.word("kind", hit.kind),
        tongue.word("channel", hit.channel) if hit.channel else "",
        plain(hit.author, 200),
        str(hit.number or ""),
        plain(hit.title, 500),
        plain(unescape(_MARK.sub("", hit.snippet_html)), 2000),
        tongue.word("state", hit.state) if hit.state else "",
    ]


def _line(cells: Sequence[str]) -> str:
    made = io.StringIO()
    csv.writer(made).writerow([f"'{cell}" if _FORMULA.match(cell) else cell for cell in cells])
    return made.getvalue()
