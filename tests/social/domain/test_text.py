"""Text is made comparable without losing what was said."""

from hypothesis import given
from hypothesis import strategies as st

from services.social.domain.text import content_key, fold, is_old_repost, normalise, split, words


def test_noise_becomes_tokens_and_the_repost_prefix_goes() -> None:
    said = normalise("RT @gino: Il pacco 12.345 NON è arrivato @acme https://acme.example/x?y=1")

    assert said == "il pacco 0 non e arrivato @user http"


def test_an_exact_repost_has_the_key_of_its_original() -> None:
    original = normalise("Consegna promessa ieri, ancora niente! https://a.example/1")
    repost = normalise("RT @anna: consegna promessa ieri, ANCORA niente! https://b.example/2")

    assert content_key(original) == content_key(repost) != ""


def test_a_very_short_text_is_nobodys_copy() -> None:
    assert content_key(normalise("pessimi!")) == ""


def test_accents_case_and_composition_are_one_spelling() -> None:
    assert words("Qualità QUALITA\u0300 qualita") == ["qualita"] * 3
    assert fold("Straße") == "strasse"


def test_hashtags_and_handles_keep_their_sign_and_elisions_split() -> None:
    assert split("l'ordine #AcmeFail @acme") == ["l", "ordine", "#AcmeFail", "@acme"]


def test_old_reposts_are_told_from_talk_of_art() -> None:
    assert is_old_repost("RT @a: ciao")
    assert not is_old_repost("l'art @ casa mia")


@given(st.text(max_size=200))
def test_folding_twice_changes_nothing_and_normalising_never_raises(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert normalise(text) is not None
