"""Why an alert speaks: telling terms, loud authors."""

from collections import Counter

from services.social.domain.reason import authors_by_reach, lifts, terms_of

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
