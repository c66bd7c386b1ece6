"""A query is read, or its fault is told; nothing else ever happens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.social.domain.watch import BadQuery, lint, parse, render
from services.social.domain.watch.tree import And, Field, Near, Not, Or, Phrase, Word

PIECES = [
    "acme",
    '"not here"',
    "late*",
    "OR",
    "AND",
    "NOT",
    "-",
    "(",
    ")",
    "NEAR/3",
    "lang:it",
    "followers:>10k",
    "x:",
    '"',
]


def test_and_binds_tighter_than_or_and_is_implied() -> None:
    tree = parse("acme late OR broken")

    assert isinstance(tree, Or)
    assert render(tree) == "((acme AND late) OR broken)"


def test_every_element_is_read() -> None:
    tree = parse('acme NEAR/4 (late OR "not here") -giveaway deliver* author:@Gino lang:IT followers:>10k has:links')

    assert isinstance(tree, And)
    near, absent, beginning, author, language, followers, link = tree.parts
    assert isinstance(near, Near)
    assert near.distance == 4
    assert isinstance(absent, Not)
    assert isinstance(beginning, Word)
    assert beginning.prefix
    assert isinstance(author, Field)
    assert (author.value, language, followers) == (
        "gino",
        Field("lang", "it", "", language.position),  # type: ignore[union-attr]  # the test knows what it made
        Field("followers", "10000", ">", followers.position),  # type: ignore[union-attr]  # the test knows what it made
    )
    assert isinstance(link, Field)


def test_a_word_with_an_apostrophe_or_hyphen_is_a_phrase() -> None:
    tree = parse("l'ordine")

    assert isinstance(tree, Phrase)
    assert tree.words == ("l", "ordine")


@pytest.mark.parametrize(
    ("query", "position", "said"),
    [
        ("", 0, "empty"),
        ("acme (late", 5, "not closed"),
        ("acme) late", 4, "never opened"),
        ('acme "late', 5, "quotation"),
        ("acme AND", 8, "ends"),
        ("colour:red", 0, "no field"),
        ("acme followers:many", 5, "number"),
        ("acme tone:angry", 5, "no tone"),
        ("acme NEAR/0 late", 5, "distance"),
        ("acme NEAR/3 lang:it", 5, "words and phrases"),
        ("a*me", 0, "star"),
        ("acme " * 500, 2000, "too long"),
        ("(" * 60 + "acme" + ")" * 60, 51, "nested"),
    ],
)
def test_a_fault_names_its_place(query: str, position: int, said: str) -> None:
    with pytest.raises(BadQuery) as caught:
        parse(query)

    assert caught.value.fault.position == position
    assert said in caught.value.fault.message
    assert caught.value.fault.blocking
    assert lint(query) == [caught.value.fault]


def test_a_mistyped_field_is_guessed() -> None:
    assert "followers:" in lint("acme folowers:>3")[0].hint


@given(st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join) | st.text(max_size=80))
def test_reading_never_raises_but_its_one_error_and_renders_stably(query: str) -> None:
    try:
        tree = parse(query)
    except BadQuery:
        assert lint(query)
        return

    assert render(parse(render(tree))) == render(tree)
    lint(query)


@pytest.mark.parametrize("query", ["(" * 2000, "(" * 51 + "a", "-" * 2000])
def test_a_hostile_query_is_refused_not_crashed_on(query: str) -> None:
    with pytest.raises(BadQuery):
        parse(query)


@pytest.mark.parametrize("query", ["NOT " * 499 + "a", "a OR " * 399 + "a", "a NEAR/1 " * 200 + "a"])
def test_a_long_query_is_read_without_depth(query: str) -> None:
    assert render(parse(query))


@pytest.mark.parametrize(
    ("query", "said", "blocking"),
    [
        ("NOT acme", "Too broad", True),
        ("lang:it", "Too broad", True),
        ("ac* OR acme", "Too broad", True),
        ("pacco", "Too broad", False),
        ("acme -acme", "Never matches", True),
        ("acme lang:it lang:en", "Never matches", True),
        ("acme followers:>10 followers:<5", "exclude", True),
        ("acme ordine", "misses the plural", False),
        ("acme or late", "read as a word", False),
        ("acme source:myspace", "no source", True),
        ("acme* lang:it", "X cannot", False),
    ],
)
def test_lint_says_what_will_go_wrong(query: str, said: str, blocking: bool) -> None:
    faults = lint(query, sources=("x", "rss"))

    assert any(said in fault.message and fault.blocking is blocking for fault in faults), faults


@pytest.mark.parametrize(
    "query", ["acme (late OR broken) -giveaway", "author:gino", "acme (ordine OR ordini)", '"acme shop"']
)
def test_a_good_query_has_no_fault(query: str) -> None:
    assert lint(query) == []
