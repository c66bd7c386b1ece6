"""A hint at the language a mail is written in: its own header, else a look at its words."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

_KNOWN = ("it", "de", "fr", "es", "pt", "nl", "pl", "ru", "zh", "ja", "en")
_LETTERS = 24  # fewer letters are no evidence (names and thanks look like any language)
_CHARS = 1_000
_TAG = re.compile(r"\s*([A-Za-z]{2})\b")
_ADDRESS = re.compile(r"\S{0,200}[@/]\S{0,200}")


@lru_cache(maxsize=1)
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier: Any = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(_KNOWN))
    return identifier


def hint(text: str, *, content_language: str = "", accept_language: str = "") -> str:
    """Two letters (ISO 639-1), or an empty string when nothing tells."""
    if match := _TAG.match(content_language):
        return match.group(1).lower()
    sample = _ADDRESS.sub(" ", text[:_CHARS])
    wide = sum(ch > "\u2fff" for ch in sample)
    if sum(ch.isalpha() for ch in sample) + wide * 4 >= _LETTERS:
        language, sure = _identifier().classify(sample)
        if sure >= 0.6:
            return str(language)
    match = _TAG.match(accept_language)
    return match.group(1).lower() if match else ""
