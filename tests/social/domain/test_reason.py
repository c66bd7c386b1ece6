"""Why an alert speaks: telling terms, loud authors, one sentence."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from services.social.domain.reason import Reason, authors_by_reach, lifts, sentence, terms_of

USUAL_POSTS = ["acme scarpe belle", "acme ordine arrivato", "acme sconto scarpe", "grazie acme scarpe"] * 50
USUAL = Counter(term for text in USUAL_POSTS for term in terms_of(text))


def test_terms_with_lift_name_the_matter_and_not_the_usual_words() -> None:
    posts = [
        "acme scarpe corriere espresso perso",
        "il corriere espresso non arriva",
        "corriere espresso in ritardo, scarpe",
    ] * 5

    found = lifts(posts, USUAL, len(USUAL_POSTS), leave_out=frozenset({"acme"}))

    assert found[0].term in ("corriere espresso", "corriere", "espresso")
    assert found[0].count == 15
    assert found[0].lift > 20
    assert not {"scarpe", "acme", "non"} & {lift.term for lift in found}


def test_a_word_said_once_does_not_lead() -> None:
    posts = ["corriere in ritardo"] * 9 + ["zibibbo"]

    assert "zibibbo" not in {lift.term for lift in lifts(posts, USUAL, len(USUAL_POSTS))}


def test_nothing_to_compare_with_still_names_terms_and_no_posts_name_none() -> None:
    assert lifts(["pacco smarrito", "pacco smarrito ancora"], {}, 0)
    assert lifts([], USUAL, len(USUAL_POSTS)) == []


def test_authors_are_ranked_by_reach_and_counted() -> None:
    ranked = authors_by_reach([("anna", 10), ("gino", 5000), ("anna", 12), ("", 9)])

    assert [(one.handle, one.followers, one.count) for one in ranked] == [("gino", 5000, 1), ("anna", 12, 2)]


REASON = Reason(
    count=42,
    tone="negative",
    terms=("courier", "late", "box"),
    began_at=datetime(2026, 3, 2, 14, 5, tzinfo=UTC),
    until=datetime(2026, 3, 2, 15, 10, tzinfo=UTC),
    usual=3.0,
    usual_high=7.6,
    bin_minutes=5,
    sources=("X", "Trustpilot", "RSS"),
    first_at=datetime(2026, 3, 2, 14, 7, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            (
                "42 negative mentions about «courier» and «late» between 14:05 and 15:10; usual is 3 per 5 minutes, "
                "rarely over 8. Mostly X and Trustpilot. First: 14:07."
            ),
        ),
        (
            "it",
            (
                "42 menzioni negative su «courier» e «late» tra le 14:05 e le 15:10; di solito 3 ogni 5 minuti, "
                "di rado oltre 8. Soprattutto X e Trustpilot. Prima: 14:07."
            ),
        ),
    ],
)
def test_the_sentence_says_it_in_one_breath(language: str, said: str) -> None:
    assert sentence(REASON, language=language) == said
