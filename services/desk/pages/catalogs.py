"""Finds every message of templates and pages, for the catalogs and for the test that none is missing."""

from __future__ import annotations

from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir

from services.desk.pages.words import WORDS

HERE = Path(__file__).parents[1]
_METHODS = [("pages/**.py", "python"), ("i18n.py", "python"), ("letters.py", "python"), ("templates/**.html", "jinja2")]
# What marks a message in our code: `tongue.text`, its short form `word`, and the plural `tongue.count`.
_KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "text": None, "word": None, "count": (1, 2), "_": None, "gettext": None, "ngettext": (1, 2), "N_": None,
}  # fmt: skip
_OPTIONS = {"templates/**.html": {"trimmed": "true"}}


def template() -> Catalog:
    """All messages and all words of the contract's values, each where it is used."""
    found = Catalog(project="ascolto")
    for name, line, message, _comments, _context in extract_from_dir(
        str(HERE), method_map=_METHODS, options_map=_OPTIONS, keywords=_KEYWORDS
    ):
        plain = message if isinstance(message, str) else tuple(part for part in message if part)
        if plain and not _is_word(name, plain):
            found.add(plain if isinstance(plain, str) or len(plain) > 1 else plain[0], locations=[(name, line)])
    for context, values in WORDS.items():
        for value in values:
            found.add(value, context=context)
    return found


def _is_word(name: str, message: str | tuple[str, ...]) -> bool:
    """`tongue.word("state", …)` looks like a message to the extractor, but its first argument is a context."""
    return name.endswith(".py") and isinstance(message, str) and (message in WORDS or message == "way")
