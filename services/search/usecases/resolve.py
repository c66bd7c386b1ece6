"""Names in a query that are kept elsewhere than in the documents sought: customers by name, agents by name."""

from __future__ import annotations

from services.search.domain.document import CUSTOMER, MESSAGE, NOTE
from services.search.domain.query import Filter, Node, Scoped, Word
from services.search.domain.query.tree import all_of, rewrite
from services.search.domain.sentences import say
from services.search.ports import Index, Plan, Scope

_MOST = 500
_NOBODY = "nobody"


def resolve(index: Index, node: Node, scope: Scope, language: str) -> tuple[Node, list[str]]:
    """The tree with customers and agents by id, and what must be said about it."""
    notes: list[str] = []

    def change(found: Node) -> Node | None:
        if isinstance(found, Scoped) and found.part == "customer":
            return _customers(index, found.node, scope, language, notes)
        if isinstance(found, Filter) and found.field == "agent":
            return Filter("agent", tuple(id_ for value in found.values for id_ in _agents(index, value, scope)))
        return None

    return rewrite(node, change), notes


def _customers(index: Index, node: Node, scope: Scope, language: str, notes: list[str]) -> Node:
    if isinstance(node, Word) and node.text.startswith("cus_"):
        return Filter("customer_id", (node.text,))
    if CUSTOMER not in scope.kinds:
        notes.append(say(language, "no_customers"))
        return Filter("customer_id", (_NOBODY,))
    wanted = all_of([Filter("kind", (CUSTOMER,)), node])
    found = index.find(Plan(wanted, Scope((CUSTOMER,), scope.brand_ids), limit=_MOST, spam=True))
    if found.total > _MOST:
        notes.append(say(language, "many_customers", most=str(_MOST)))
    ids = [row.document.id for row in found.rows]
    return Filter("customer_id", tuple(ids) or (_NOBODY,))


def _agents(index: Index, value: str, scope: Scope) -> list[str]:
    """The value itself, and who has written under that name."""
    if value.startswith("usr_"):
        return [value]
    kinds = tuple(kind for kind in (MESSAGE, NOTE) if kind in scope.kinds)
    wanted = all_of([Filter("direction", ("out", "internal")), Scoped("from", Word(value))])
    plan = Plan(wanted, Scope(kinds, scope.brand_ids), typos=False, spam=True)
    return [value, *(id_ for id_, _ in index.values(plan, "author_id", 50))]
