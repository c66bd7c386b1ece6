"""Matching decides what belongs to a watch, by which words, fast; rules of X never leave out what matching accepts."""

import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.social.domain.watch import Matcher, Node, Post, WatchSet, parse, x_rules
from services.social.domain.watch.tree import And, Field, Near, Not, Or, Phrase, Word

VOCABULARY = ("acme", "late", "broken", "order", "parcel", "thanks", "again", "deliver", "delivery")


def match(query: str, text: str = "", **fields: Any) -> tuple[str, ...] | None:
    return Matcher(parse(query)).match(Post(text, **fields))


def test_words_match_without_case_and_accents_and_are_given_as_written() -> None:
    assert match("qualita perche", "Che QUALITÀ, perché?") == ("QUALITÀ", "perché")


def test_a_plain_word_matches_the_hashtag_but_not_the_other_way() -> None:
    assert match("acme", "odio #Acme") == ("#Acme",)
    assert match("#acme", "odio acme") is None
    assert match("@acme", "ciao @ACME!") == ("@ACME",)


def test_a_word_is_not_found_inside_another() -> None:
    assert match("art", "il pacco è in partenza") is None


def test_a_phrase_needs_its_words_in_a_row_and_does_not_span_title_and_text() -> None:
    assert match('"mai arrivato"', "non è MAI arrivato") == ("MAI", "arrivato")
    assert match('"mai arrivato"', "arrivato mai") is None
    assert match('"mai arrivato"', "arrivato", title="non più mai") is None


def test_near_counts_the_words_between_in_any_order() -> None:
    assert match("acme NEAR/2 late", "late by two acme") == ("late", "acme")
    assert match("acme NEAR/1 late", "late by two acme") is None


def test_a_beginning_matches_its_words() -> None:
    assert match("consegn*", "la consegna e il consegnare") == ("consegna", "consegnare")


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("author:gino", {"author": "@Gino"}),
        ("lang:it", {"language": "it-IT"}),
        ("source:rss", {"source": "rss"}),
        ("followers:>999", {"followers": 1000}),
        ("followers:=7", {"followers": 7}),
        ("tone:negative", {"tone": "negative"}),
        ("site:acme.example", {"url": "https://www.acme.example/p"}),
        ("has:link", {"text": "ecco https://b.example"}),
    ],
)
def test_a_field_matches_its_property_only(query: str, fields: dict[str, Any]) -> None:
    assert match(query, **fields) == ()
    assert match(query, "niente") is None


def test_not_excludes() -> None:
    assert match("acme -giveaway", "acme giveaway") is None
    assert match("acme NOT (giveaway OR ad)", "acme late") == ("acme",)


words = st.sampled_from(VOCABULARY)
leaf = st.one_of(
    words.map(lambda word: Word(word, word)),
    words.map(lambda word: Word(word[:4], word[:4], prefix=True)),
    st.tuples(words, words).map(lambda pair: Phrase(pair, " ".join(pair))),
    st.tuples(words, words, st.integers(1, 3)).map(lambda t: Near(Word(t[0], t[0]), Word(t[1], t[1]), t[2])),
    st.sampled_from([Field("lang", "it"), Field("lang", "en"), Field("source", "x"), Field("source", "rss")]),
    st.sampled_from([Field("followers", "100", ">"), Field("has", "link"), Field("author", "gino")]),
)
trees = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts))),
        inner.map(Not),
    ),
    max_leaves=8,
)
posts = st.builds(
    Post,
    text=st.lists(words | st.just("https://a.example"), max_size=8).map(" ".join),
    author=st.sampled_from(["gino", "anna"]),
    language=st.sampled_from(["it", "en"]),
    source=st.just("x"),
    followers=st.sampled_from([10, 1000]),
)


def x_accepts(rule: str, post: Post) -> bool:
    """What X would do with a rule: implicit AND binds tighter than OR; tokens, quotes, minus, brackets."""
    tokens = re.findall(r'-?"[^"]*"|-?\w+:"[^"]*"|[()]|[^\s()"]+', rule)
    body = re.findall(r"\w+", post.text.lower())

    def term(token: str) -> bool:
        if token.startswith("-"):
            return not term(token[1:])
        if token.startswith("from:"):
            return post.author == token[5:]
        if token.startswith("lang:"):
            return post.language == token[5:]
        if token == "has:links":
            return "https://" in post.text
        wanted = token.strip('"').split()
        return any(body[at : at + len(wanted)] == wanted for at in range(len(body)))

    def any_of(at: int) -> tuple[bool, int]:
        found, at = all_of(at)
        while at < len(tokens) and tokens[at] == "OR":
            other, at = all_of(at + 1)
            found = found or other
        return found, at

    def all_of(at: int) -> tuple[bool, int]:
        found = True
        while at < len(tokens) and tokens[at] not in ("OR", ")"):
            if tokens[at] == "(":
                one, at = any_of(at + 1)
            else:
                one = term(tokens[at])
            at += 1
            found = found and one
        return found, at

    return any_of(0)[0]


@settings(max_examples=400, deadline=None)
@given(trees, posts, st.sampled_from([1024, 60]))
def test_a_rule_of_x_never_leaves_out_what_the_matcher_accepts(tree: Node, post: Post, limit: int) -> None:
    rules = x_rules(tree, limit=limit)

    assert all(len(rule) <= limit for rule in rules)
    if rules and Matcher(tree).match(post) is not None:
        assert any(x_accepts(rule, post) for rule in rules), (rules, post.text)


@settings(max_examples=200, deadline=None)
@given(st.lists(trees, min_size=1, max_size=5), posts)
def test_many_watches_at_once_decide_as_each_alone(many: list[Node], post: Post) -> None:
    together = WatchSet({str(place): tree for place, tree in enumerate(many)}).match(post)

    alone = {
        str(place): matched for place, tree in enumerate(many) if (matched := Matcher(tree).match(post)) is not None
    }
    assert together == alone


def test_a_long_query_becomes_several_rules_within_the_limit() -> None:
    tree = parse("acme (" + " OR ".join(f"word{number}isquitelong" for number in range(80)) + ")")
    alternatives = parse(" OR ".join(f"word{number}isquitelong" for number in range(80)))

    assert x_rules(tree) == ("acme",)
    assert len(x_rules(alternatives, limit=512)) > 1


def test_accents_are_asked_for_both_ways() -> None:
    assert x_rules(parse("qualità")) == ("qualità OR qualita",)


def test_what_x_cannot_be_asked_has_no_rule() -> None:
    assert x_rules(parse("acm* OR late")) == ()
    assert x_rules(parse("acme source:rss")) == ()


def test_fifty_watches_cost_little_a_post() -> None:
    watches = WatchSet({str(n): parse(f'brand{n} (late OR broken OR "not here") -giveaway') for n in range(50)})
    sample = [Post(f"my order {n} from Brand{n % 90} is late and nobody answers the phone #fail") for n in range(2000)]
    best = 0.0

    for _ in range(3):  # the best of three: a neighbour on the machine must not fail it
        started = time.perf_counter()
        matched = sum(bool(watches.match(post)) for post in sample)
        best = max(best, len(sample) / (time.perf_counter() - started))

    assert matched > 1000
    assert best > 10_000  # measured 60,000 and more on an idle core
