"""One search: hits, totals, facets, paging, all in one round to the server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.search.domain.document import Document
from services.search.index.analysis import Analysis
from services.search.index.compile import Compiler, words_of
from services.search.index.derived import last_key, order_key
from services.search.index.elastic.mapping import DEEPEST_WINDOW
from services.search.index.elastic.queries import Asked
from services.search.index.elastic.typos import Search, Spellings
from services.search.index.elastic.writing import kept
from services.search.index.pages import (
    BY_DAY,
    DEEPEST,
    EXACT_TOTAL,
    FACETS,
    INNER,
    MOST_VALUES,
    counts_of,
    days_of,
    in_bins,
)
from services.search.index.snippets import Marker, marks_of
from services.search.ports import Cursor, Found, Plan, Row

_LOOKED_AT = 1000  # values of a facet that each shard counts, so that the commonest are right
_NEWEST = {"newest": {"max": {"field": "at"}}}


class Reading:
    """Answers plans by `search`."""

    def __init__(self, search: Search, compiler: Compiler[Asked], analysis: Analysis, spellings: Spellings) -> None:
        self._search, self._compiler, self._analysis, self._spellings = search, compiler, analysis, spellings

    def compiled(self, plan: Plan, *, without: str = "") -> dict[str, Any]:
        """The query of a plan; misspellings of all its words are looked up together first."""
        if plan.typos:
            self._spellings.learn(words_of(plan.node))
        return self._compiler.plan(plan, without=without).body

    def find(self, plan: Plan) -> Found:
        """One page with its facets."""
        wanted = [name for name in plan.facets if name in FACETS]
        chosen = {filter_.field for filter_ in plan.chosen}
        main = self._page(plan) | {
            "aggs": {name: _terms(name) for name in wanted if name not in chosen}
            | (dict(BY_DAY) if "at" in plan.facets else _NEWEST)
        }
        apart = [name for name in wanted if name in chosen]  # several values are OR: counted as if none were chosen
        bodies = [_counting(self.compiled(plan, without=name), {name: _terms(name)}) for name in apart]
        answer, *others = self._search([main, *bodies])
        counts = {name: answer["aggregations"][name] for name in wanted if name not in chosen}
        counts |= {name: other["aggregations"][name] for name, other in zip(apart, others, strict=True)}
        days, newest_us = days_of(answer["aggregations"]) if "at" in plan.facets else (
            {}, int(answer["aggregations"]["newest"]["value"] or 0)
        )  # fmt: skip
        bins, bin_us = in_bins(days)
        marker = Marker(marks_of(plan.node, self._analysis, self._spellings, with_typos=plan.typos), self._analysis)
        hits = answer["hits"]["hits"]
        rows = tuple(_row(hit, plan, marker) for hit in hits[: plan.limit])
        following = self._following(plan, rows, newest_us) if len(hits) > plan.limit else None
        deep = following is not None and following.passed >= DEEPEST and (plan.by_ticket or plan.sort == "best")
        total = int(answer["hits"]["total"]["value"])
        return Found(
            rows=rows,
            total=min(total, EXACT_TOTAL),
            lower_bound=total > EXACT_TOTAL,
            next=None if deep else following,
            facets={name: counts_of(counts[name]["buckets"]) for name in wanted},
            histogram=bins,
            bin_us=bin_us,
            cut=deep,
        )

    def _page(self, plan: Plan) -> dict[str, Any]:
        """The part of a search that says which hits: by time after the last one's key, else by how many came before."""
        best = plan.sort == "best"
        order: list[Any] = [{"order": "asc" if plan.sort == "old" else "desc"}]
        sort = ["_score", *order] if best else order
        body: dict[str, Any] = {
            "query": self.compiled(plan),
            "size": plan.limit + 1,
            "sort": sort,
            "track_total_hits": EXACT_TOTAL + 1,
        }
        if plan.by_ticket:
            body["collapse"] = {"field": "group", "inner_hits": {"name": "inner", "size": INNER, "sort": sort}}
        if plan.after is not None:
            if best or plan.by_ticket:
                body["from"] = min(plan.after.passed, DEEPEST_WINDOW - plan.limit - 1)
            else:
                body["search_after"] = [plan.after.key]
        return body

    def _following(self, plan: Plan, rows: Sequence[Row], newest_us: int) -> Cursor:
        """Where the next page begins, and the greatest key when the list began."""
        passed = (plan.after.passed if plan.after is not None else 0) + len(rows)
        top = plan.after.top if plan.after is not None else 0
        return Cursor(passed, order_key(rows[-1].document), top or last_key(newest_us))

    def count(self, query: dict[str, Any], *, most: int = 0) -> int:
        """How many documents match; at most `most` when given."""
        (answer,) = self._search([{"query": query, "size": 0, "track_total_hits": most or True}])
        return int(answer["hits"]["total"]["value"])

    def values(self, plan: Plan, name: str, limit: int) -> list[tuple[str, int]]:
        """The commonest values of an exact field."""
        (answer,) = self._search([_counting(self.compiled(plan), {name: _terms(name, limit)})])
        return counts_of(answer["aggregations"][name]["buckets"])


def _row(hit: dict[str, Any], plan: Plan, marker: Marker) -> Row:
    document: Document = kept(hit)
    score = float(hit["sort"][0] or 0.0) if plan.sort == "best" else 0.0
    snippet = marker.snippet(document)
    if "inner_hits" not in hit:
        return Row(document, score, snippet)
    found = hit["inner_hits"]["inner"]["hits"]
    inner = tuple(_row(one, plan, marker) for one in found["hits"])
    return Row(document, score, snippet, int(found["total"]["value"]) - len(inner), inner)


def _terms(name: str, size: int = MOST_VALUES) -> dict[str, Any]:
    return {"terms": {"field": name, "size": size, "shard_size": _LOOKED_AT}}


def _counting(query: dict[str, Any], aggregations: dict[str, Any]) -> dict[str, Any]:
    return {"query": query, "size": 0, "track_total_hits": False, "aggs": aggregations}
