"""What is pointed out in an answer, and what is not."""

from __future__ import annotations

import pytest

from services.desk.domain.courtesy import hints

LETTER = "Gentile Marta,\n\nil ricambio parte domani, 13 marzo, con il corriere.\n\nCordiali saluti"


def of(text: str, language: str = "it", *, letter: bool = True, customer: str = "Marta Quercioli") -> list[str]:
    return hints(text, language=language, letter=letter, customer=customer)


def test_a_letter_as_it_should_be_gets_no_hint() -> None:
    assert of(LETTER) == []
    assert of("Dear Ms Quercioli,\n\nit leaves on 13 March.\n\nKind regards", "en") == []
    assert of("Buongiorno,\nle rispondo domani alle 9.", customer="") == []
    assert of("Certo, la spedizione è oggi", letter=False) == []


@pytest.mark.parametrize(
    ("text", "language", "hint"),
    [
        ("Il ricambio parte domani. Saluti", "it", "greeting"),
        ("Gentile Marta,\n\n" + "il ricambio parte domani 13 marzo. " * 6, "it", "closing"),
        (LETTER.replace("Marta", "Giulia"), "it", "name"),
        ("Hallo Frau Schmidt,\nes geht heute los.", "de", "name"),
        ("Gentile Marta, se vuoi il tuo ricambio mi dica quando Lei può", "it", "formality"),
        ("Bonjour Marta, tu peux nous dire votre numéro", "fr", "formality"),
        ("Gentile Marta, È GIÀ PARTITO OGGI alle 9", "it", "shouting"),
        ("Gentile Marta, finalmente!!!", "it", "shouting"),
        ("Gentile Marta, risponderemo al più presto.", "it", "date"),
        ("Dear Marta, we reply as soon as possible", "en", "date"),
    ],
)
def test_what_a_colleague_would_point_out(text: str, language: str, hint: str) -> None:
    assert of(text, language) == [hint]


def test_a_day_given_beside_the_promise_is_a_date() -> None:
    assert of("Gentile Marta, risponderemo al più presto, entro il 13 marzo.") == []


def test_a_language_without_rules_is_taken_at_its_word() -> None:
    assert of("Witam, paczka rusza jutro. " * 10, "pl") == []
    assert of("", "pl") == []
