"""What every engine of the index must do. Subclass, give `make`, and each promise is checked against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.search.domain.document import KINDS, Document
from services.search.domain.query import Filter, Reader, parse
from services.search.ports import Found, Index, Plan, Scope
from tests.contracts.index_cases import CASES, DAY_US, T0, TEXTS, Case

NOW = datetime(2026, 3, 12, 9, tzinfo=UTC)
READER = Reader(NOW, UTC, "it", "usr_1")
EVERYTHING = Scope(KINDS)
FACETS = ("kind", "channel", "brand", "state", "tag", "agent", "lang", "tone", "at")


def document(name: str, text: str, *, rev: int = 1, **changes: object) -> Document:
    """A message of its own ticket."""
    plain = Document(
        id=f"int_{name}",
        kind="message",
        rev=rev,
        text=text,
        ticket_id=f"tkt_{name}",
        occurred_us=T0,
        channel="email",
        brand_ids=("brd_one",),
        state="open",
        number=abs(hash(name)) % 1_000_000 + 1,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # fields by name


class IndexContract:
    """Relevance, rights, paging, totals, facets, snippets."""

    make: Callable[[], Index]

    @pytest.fixture
    def index(self, make_index: Callable[[], Index]) -> Iterator[Index]:
        made = make_index()
        yield made
        made.close()

    def search(self, index: Index, query: str, **changes: object) -> Found:
        asked = parse(query, READER)
        plan = Plan(asked.node, EVERYTHING, limit=100, sort=asked.sort or "best")
        return index.find(replace(plan, **changes))  # type: ignore[arg-type]  # fields by name

    def ids(self, found: Found) -> list[str]:
        return [row.document.id.removeprefix("int_") for row in found.rows]

    @pytest.fixture
    def library(self, index: Index) -> Index:
        index.write(
            document(
                text.id,
                text.text,
                language=text.language,
                title=text.title,
                sender=text.sender,
                files=text.files,
                kind=text.kind,
                number=place + 1,
                occurred_us=T0 + place * DAY_US,
            )
            for place, text in enumerate(TEXTS)
        )
        index.commit()
        return index

    def test_every_case_of_relevance_holds(self, library: Index) -> None:
        wrong = [line for case in CASES if (line := self._fault(library, case))]

        assert wrong == []

    def _fault(self, index: Index, case: Case) -> str:
        found = set(self.ids(self.search(index, case.query)))
        missing, extra = case.found - found, found & case.not_found
        if case.exactly:
            extra = found - case.found
        return f"{case.query!r}: missing {sorted(missing)}, extra {sorted(extra)}" if missing or extra else ""

    def test_the_word_as_typed_comes_before_its_misspellings(self, library: Index) -> None:
        ranked = self.ids(self.search(library, "pacco danneggiato"))

        assert set(ranked[:3]) == {"it1", "it2", "it3"}

    def test_marks_cover_stems_accents_and_misspellings(self, library: Index) -> None:
        rows = {row.document.id: row.snippet_html for row in self.search(library, "pacco danneggiato").rows}

        assert "<mark>pacchi</mark>" in rows["int_it2"]
        assert "<mark>danneggiati</mark>" in rows["int_it2"]
        assert "<mark>paco danegiato</mark>" in rows["int_it4"]

    def test_snippets_never_hold_raw_markup(self, library: Index) -> None:
        (row,) = (row for row in self.search(library, "pacco attenzione").rows if row.document.id == "int_x1")

        assert "&lt;script&gt;" in row.snippet_html
        assert "<script" not in row.snippet_html
        assert "<b>" not in row.snippet_html
        assert "<mark>pacco</mark>" in row.snippet_html

    def test_other_brands_are_neither_found_nor_counted(self, index: Index) -> None:
        index.write([document("mine", "zebra"), document("theirs", "zebra", brand_ids=("brd_two",))])
        index.commit()

        found = self.search(index, "zebra", scope=Scope(KINDS, ("brd_one",)), facets=FACETS)

        assert self.ids(found) == ["mine"]
        assert found.total == 1
        assert found.facets["brand"] == [("brd_one", 1)]

    def test_kinds_without_a_right_are_not_found_whatever_the_query(self, index: Index) -> None:
        index.write([document("message", "zebra"), document("note", "zebra", kind="note")])
        index.commit()

        for query in ("zebra", "kind:note", "zebra OR kind:note", "-leone", "NOT (NOT kind:note)"):
            assert "note" not in self.ids(self.search(index, query, scope=Scope(("message",)))), query

    def test_a_newer_write_takes_the_place_of_the_older(self, index: Index) -> None:
        index.write([document("a", "prima")])
        index.commit()
        index.write([document("a", "seconda", rev=2)])
        index.commit()

        assert self.ids(self.search(index, "prima")) == []
        assert self.ids(self.search(index, "seconda")) == ["a"]
        assert index.documents() == 1

    def test_a_tombstone_takes_away(self, index: Index) -> None:
        index.write([document("a", "zebra")])
        index.commit()
        index.write([Document(id="int_a", kind="message", rev=2, deleted=True)])
        index.commit()

        assert self.search(index, "zebra").total == 0
        assert index.sources(["int_a"]) == []

    def test_what_was_given_is_kept_whole(self, index: Index) -> None:
        given = document("a", "testo «è» 😀", tags=("vip",), due_us=5, flags=("attachment",), order="A-1")
        index.write([given])
        index.commit()

        assert index.sources(["int_a", "int_none"]) == [given]

    @pytest.mark.parametrize("sort", ["new", "old", "best"])
    def test_pages_join_without_gap_or_repeat_while_newer_ones_arrive(self, index: Index, sort: str) -> None:
        index.write(document(f"d{i}", "zebra", number=i + 1, occurred_us=T0 + (i // 3) * DAY_US) for i in range(25))
        index.commit()
        seen: list[str] = []
        after = None

        while True:
            page = self.search(index, "zebra", sort=sort, limit=7, after=after)
            seen.extend(self.ids(page))
            index.write([document(f"late{len(seen)}", "zebra", occurred_us=T0 + 90 * DAY_US)])
            index.commit()
            if page.next is None:
                break
            after = page.next

        assert sorted(seen) == sorted(f"d{i}" for i in range(25))

    def test_time_orders_newest_and_oldest_first(self, index: Index) -> None:
        index.write(document(f"d{i}", "zebra", occurred_us=T0 + i * DAY_US) for i in range(3))
        index.commit()

        assert self.ids(self.search(index, "zebra sort:new")) == ["d2", "d1", "d0"]
        assert self.ids(self.search(index, "zebra sort:old")) == ["d0", "d1", "d2"]

    def test_hits_by_ticket_come_once_with_three_inside_and_the_rest_counted(self, index: Index) -> None:
        index.write(
            document(f"m{ticket}x{i}", "zebra", ticket_id=f"tkt_{ticket}", number=ticket, occurred_us=T0 + i)
            for ticket in range(1, 8)
            for i in range(5)
        )
        index.commit()
        tickets: list[int] = []
        after = None

        while True:
            page = self.search(index, "zebra", by_ticket=True, limit=3, after=after, sort="new")
            tickets.extend(row.document.number for row in page.rows)
            for row in page.rows:
                assert len(row.inner) + row.more == 5
            if page.next is None:
                break
            after = page.next

        assert sorted(tickets) == list(range(1, 8))

    def test_facets_count_and_several_values_of_one_are_or(self, index: Index) -> None:
        index.write(document(f"e{i}", "zebra", channel="email") for i in range(3))
        index.write(document(f"c{i}", "zebra", channel="chat", tags=("vip", "reso")) for i in range(2))
        index.commit()

        chosen = (Filter("channel", ("chat",)),)
        found = self.search(index, "zebra", facets=FACETS, chosen=chosen)
        both = self.search(index, "zebra", facets=FACETS, chosen=(*chosen, Filter("channel", ("email",))))

        assert found.total == 2
        assert dict(found.facets["channel"]) == {"email": 3, "chat": 2}
        assert dict(found.facets["tag"]) == {"vip": 2, "reso": 2}
        assert both.total == 5
        assert sum(count for _, count in found.histogram) == 2

    def test_an_id_finds_its_document_and_the_beginning_of_all_ids_nothing(self, index: Index) -> None:
        index.write([document("a1", "zebra"), document("b2", "leone")])
        index.commit()

        assert self.ids(self.search(index, "INT_a1")) == ["a1"]
        assert self.ids(self.search(index, "int*")) == []

    def test_a_phone_in_equal_groups_is_found_however_it_is_written(self, index: Index) -> None:
        index.write([document("a", "chiamate il 333 333 333"), document("b", "il 333 non risponde")])
        index.commit()

        assert self.ids(self.search(index, "333333333")) == ["a"]

    def test_spam_is_left_out_unless_asked_for(self, index: Index) -> None:
        index.write([document("ham", "zebra"), document("spam", "zebra", state="spam")])
        index.commit()

        assert self.ids(self.search(index, "zebra")) == ["ham"]
        assert self.ids(self.search(index, "zebra stato:spam", spam=True)) == ["spam"]

    def test_dates_and_states_filter(self, index: Index) -> None:
        index.write([document("old", "zebra", occurred_us=T0), document("new", "zebra", occurred_us=T0 + 10 * DAY_US)])
        index.write([document("done", "zebra", state="solved", solved_us=T0, occurred_us=T0 + 10 * DAY_US)])
        index.commit()

        assert self.ids(self.search(index, "zebra before:2026-03-01")) == ["old"]
        assert set(self.ids(self.search(index, "zebra dopo:1/3/2026 stato:aperto"))) == {"new"}
        assert self.ids(self.search(index, "solved:2026-02 zebra")) == ["done"]
        assert set(self.ids(self.search(index, "is:open zebra"))) == {"old", "new"}

    def test_totals_beyond_ten_thousand_are_a_lower_bound(self, index: Index) -> None:
        index.write(document(f"d{i}", "zebra", number=i + 1) for i in range(10_050))
        index.commit()

        found = self.search(index, "zebra", limit=1)

        assert (found.total, found.lower_bound) == (10_000, True)

    @pytest.mark.parametrize("text", ["\ud800", "\x00", "a\u0301" * 50, "😀", "ﬁ", "İstanbul", "x" * 70_000])
    def test_any_text_can_be_kept_and_sought(self, index: Index, text: str) -> None:
        index.write([document("a", text.encode("utf-8", "replace").decode())])
        index.commit()

        self.search(index, text)
        assert index.documents() == 1

    def test_parentheses_as_deep_as_the_language_takes_them_are_searched(self, index: Index) -> None:
        index.write([document("a", "zebra"), document("b", "leone")])
        index.commit()
        query = "zebra"
        for depth in range(38):
            query = f"(zebra {query})" if depth % 2 else f"(giraffa OR {query})"

        assert self.ids(self.search(index, query)) == ["a"]

    def test_corrections_offer_the_commoner_word(self, library: Index) -> None:
        assert [word for word, _ in library.corrections("rimborsso")][:1] == ["rimborso"]
