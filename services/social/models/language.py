"""Language of a text among those of the brand, with a confidence that admits when a text is too short to tell."""

from __future__ import annotations

import functools
import math
import re
import threading
from collections.abc import Sequence
from typing import Any, Final

from py3langid.langid import MODEL_FILE, LanguageIdentifier

LANGUAGES: Final = ("it", "en", "de", "fr", "es", "pt")
# What says nothing of the language: addresses, handles, hashtags, numbers.
_NOISE = re.compile(r"(?:https?://|www\.)\S+|[@#][\w.-]+|\d+|\bRT\b|[^\w\s']", re.IGNORECASE)
_TEMPERATURE = 6.0  # raw scores are sums over n-grams that are not independent: without it all is 0.999
_ONE_AT_A_TIME = threading.Lock()


@functools.cache
def _identifier(languages: tuple[str, ...]) -> Any:
    """The model, read once (0.4 s) at the first text that needs it."""
    identifier: Any = LanguageIdentifier.from_model_file(MODEL_FILE)  # type: ignore[no-untyped-call]  # no types
    identifier.set_languages(list(languages))
    return identifier


class LanguageModel:
    """py3langid limited to the given languages. Source: https://github.com/adbar/py3langid (BSD)."""

    def __init__(self, languages: Sequence[str] = LANGUAGES) -> None:
        self._languages = tuple(languages)

    def tell(self, text: str, *, hint: str = "") -> tuple[str, float]:
        """The language and how sure (0 to 1); a `hint` (the platform's own field) of a known language wins.

        A text without letters is "" with confidence 0.
        """
        code = hint[:2].lower()
        if code in self._languages:
            return code, 1.0
        plain = " ".join(_NOISE.sub(" ", text[:1000]).split())
        if not plain:
            return "", 0.0
        with _ONE_AT_A_TIME:
            ranked = _identifier(self._languages).rank(plain)
        scores = [float(score) / _TEMPERATURE for _, score in ranked]
        total = sum(math.exp(score - scores[0]) for score in scores)
        return str(ranked[0][0]), 1.0 / total
