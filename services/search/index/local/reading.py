"""One search on a snapshot of the index: hits, totals, facets, paging."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tantivy

from services.search.domain.document import Document
from services.search.index.analysis import Analysis, Typos
from services.search.index.compile import Compiler
from services.search.index.derived import last_key, order_key
from services.search.index.local.queries import Must, Query, TantivyQueries
from services.search.index.local.writing import kept
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

Hit = tuple[float, tantivy.DocAddress]


class Reading:
    """Answers plans from one searcher."""

    def __init__(
        self,
        searcher: tantivy.Searcher,
        queries: TantivyQueries,
        compiler: Compiler[tantivy.Query],
        analysis: Analysis,
        typos: Typos,
    ) -> None:
        self._searcher, self._queries, self._compiler = searcher, queries, compiler
        self._analysis, self._typos = analysis, typos

    def find(self, plan: Plan) -> Found:
        """One page with its facets."""
        query = self._compiler.plan(plan)
        marker = Marker(marks_of(plan.node, self._analysis, self._typos, with_typos=plan.typos), self._analysis)
        facets, days, newest_us = self._facets(query, plan)
        if plan.by_ticket:
            rows, total, following = self._tickets(query, plan, marker, newest_us)
        else:
            rows, total, following = self._flat(query, plan, marker, newest_us)
        bins, bin_us = in_bins(days)
        deep = following is not None and following.passed >= DEEPEST and (plan.by_ticket or plan.sort == "best")
        return Found(
            rows=tuple(rows),
            total=min(total, EXACT_TOTAL),
            lower_bound=total > EXACT_TOTAL,
            next=None if deep else following,
            facets=facets,
            histogram=bins,
            bin_us=bin_us,
            cut=deep,
        )

    def count(self, query: tantivy.Query) -> int:
        """How many documents match."""
        return counted(self._searcher.search(query, 1, count=True))

    def _search(self, query: tantivy.Query, plan: Plan, limit: int, offset: int = 0) -> tuple[list[Hit], int]:
        if plan.sort == "best":
            result = self._searcher.search(query, limit, count=True, offset=offset)
        else:
            order = tantivy.Order.Asc if plan.sort == "old" else tantivy.Order.Desc
            result = self._searcher.search(query, limit, count=True, order_by_field="order", order=order, offset=offset)
        return list(result.hits), counted(result)

    def _flat(
        self, query: tantivy.Query, plan: Plan, marker: Marker, newest_us: int
    ) -> tuple[list[Row], int, Cursor | None]:
        after = plan.after
        passed = after.passed if after else 0
        if plan.sort == "best" or after is None:
            hits, total = self._search(query, plan, plan.limit + 1, offset=passed)
        else:
            key = after.key
            rest = self._beyond(key, plan.sort)
            hits, left = self._search(Query.boolean_query([(Must, query), (Must, rest)]), plan, plan.limit + 1)
            total = passed + left
        page = hits[: plan.limit]
        rows = [self._row(hit, plan, marker) for hit in page]
        if len(hits) <= plan.limit:
            return rows, total, None
        key = order_key(rows[-1].document)
        return rows, total, Cursor(passed + len(page), key, self._top(query, plan, newest_us))

    def _beyond(self, key: int, sort: str) -> tantivy.Query:
        between = self._queries.between
        return between("order", None, key - 1) if sort == "new" else between("order", key + 1, None)

    def _tickets(
        self, query: tantivy.Query, plan: Plan, marker: Marker, newest_us: int
    ) -> tuple[list[Row], int, Cursor | None]:
        passed = plan.after.passed if plan.after else 0
        fetch = min(DEEPEST, passed + plan.limit * 4 + 1)
        while True:
            hits, total = self._search(query, plan, fetch)
            seen, groups, end = self._group(hits, passed, plan.limit)
            complete = end < len(hits) or len(hits) >= min(total, DEEPEST)
            if complete:
                break
            fetch = min(DEEPEST, fetch * 4)
        del seen
        rows = [self._ticket_row(group, plan, marker) for group in groups]
        rows = self._with_more(query, rows)
        if end >= total or not rows:
            return rows, total, None
        if end >= len(hits):
            end = DEEPEST
        return rows, total, Cursor(end, order_key(rows[-1].document), self._top(query, plan, newest_us))

    def _group(self, hits: list[Hit], passed: int, limit: int) -> tuple[set[int], list[list[Hit]], int]:
        """Hits after `passed` by ticket, without the tickets of earlier pages; and where the page ends."""
        numbers = self._searcher.fast_field_values("number", [address for _, address in hits]) if hits else []
        seen = {int(number) for number in numbers[:passed] if number}
        groups: list[list[Hit]] = []
        of: dict[int, list[Hit]] = {}
        for place in range(passed, len(hits)):
            number = int(numbers[place] or 0)
            if number in seen:
                continue
            if number and number in of:
                of[number].append(hits[place])
                continue
            if len(groups) == limit:
                return seen, groups, place
            groups.append([hits[place]])
            if number:
                of[number] = groups[-1]
        return seen, groups, len(hits)

    def _ticket_row(self, group: list[Hit], plan: Plan, marker: Marker) -> Row:
        inner = [self._row(hit, plan, marker) for hit in group[:INNER]]
        first = inner[0]
        return Row(first.document, first.score, first.snippet_html, inner=tuple(inner))

    def _with_more(self, query: tantivy.Query, rows: list[Row]) -> list[Row]:
        """How many further hits each ticket has, by one aggregation."""
        numbers = [row.document.number for row in rows if row.document.number]
        if not numbers:
            return rows
        of_these = Query.term_set_query(self._queries.schema, "number", numbers)
        narrowed = Query.boolean_query([(Must, query), (Must, of_these)])
        wanted = {"t": {"terms": {"field": "number", "size": len(numbers)}}}
        counts = {int(bucket["key"]): int(bucket["doc_count"]) for bucket in self._buckets(narrowed, wanted, "t")}
        return [
            Row(
                row.document,
                row.score,
                row.snippet_html,
                max(0, counts.get(row.document.number, 0) - len(row.inner)),
                row.inner,
            )
            for row in rows
        ]

    def _row(self, hit: Hit, plan: Plan, marker: Marker) -> Row:
        score, address = hit
        document = kept(self._searcher, address)
        snippet = marker.snippet(document)
        return Row(document, float(score) if plan.sort == "best" else 0.0, snippet)

    def _top(self, query: tantivy.Query, plan: Plan, newest_us: int) -> int:
        """The greatest key when the list began; of the moment of the newest document the last possible."""
        if plan.after is not None and plan.after.top:
            return plan.after.top
        if newest_us:
            return last_key(newest_us)
        newest = self._searcher.search(query, 1, count=False, order_by_field="order").hits
        return int(newest[0][0]) if newest else 0

    def _facets(self, query: tantivy.Query, plan: Plan) -> tuple[dict[str, list[tuple[str, int]]], dict[int, int], int]:
        """Counts of the values of each facet and of the days since 1970, and the newest moment; in one pass."""
        wanted = [name for name in plan.facets if name in FACETS]
        chosen = {filter_.field for filter_ in plan.chosen}
        found: dict[str, list[tuple[str, int]]] = {}
        days: dict[int, int] = {}
        newest_us = 0
        together = {name: _terms(name) for name in wanted if name not in chosen}
        if together or "at" in plan.facets:
            answer = self._searcher.aggregate(query, together | (dict(BY_DAY) if "at" in plan.facets else {}))
            found.update({name: counts_of(answer[name]["buckets"]) for name in together})
            if "at" in plan.facets:
                days, newest_us = days_of(answer)
        for name in wanted:
            if name in chosen:  # several values are OR: the others' counts are those without this choice
                answer = self._searcher.aggregate(self._compiler.plan(plan, without=name), {name: _terms(name)})
                found[name] = counts_of(answer[name]["buckets"])
        return {name: found[name] for name in wanted}, days, newest_us

    def values(self, query: tantivy.Query, name: str, limit: int) -> list[tuple[str, int]]:
        """The commonest values of an exact field."""
        answer = self._searcher.aggregate(query, {name: {"terms": {"field": name, "size": limit}}})
        return counts_of(answer[name]["buckets"])

    def _buckets(self, query: tantivy.Query, wanted: dict[str, Any], name: str) -> list[dict[str, Any]]:
        answer = self._searcher.aggregate(query, wanted)
        buckets: list[dict[str, Any]] = answer[name]["buckets"]
        return buckets

    def sources(self, ids: Sequence[str]) -> list[Document]:
        """Documents by id."""
        if not ids:
            return []
        hits = self._searcher.search(
            Query.term_set_query(self._queries.schema, "id", list(ids)), len(ids), count=False
        ).hits
        return [kept(self._searcher, address) for _, address in hits]


def counted(result: tantivy.SearchResult) -> int:
    """How many matched; tantivy's stubs do not know of it."""
    return int(getattr(result, "count"))  # noqa: B009 (as above)


def _terms(name: str) -> dict[str, Any]:
    return {"terms": {"field": name, "size": MOST_VALUES}}
