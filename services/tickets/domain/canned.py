"""Variables of canned answers. One that has no value stays as written, so that the composer can stop at it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from services.kit.errors import Invalid

VARIABLES = (
    "customer.name",
    "customer.first_name",
    "ticket.number",
    "ticket.subject",
    "agent.name",
    "brand.name",
    "order.number",
)
_VARIABLE = re.compile(r"\{\{\s*([a-z_.]+)\s*\}\}")  # {{customer.name}}, spaces inside allowed
MAX_TEXT = 20_000


def names_in(text: str) -> list[str]:
    """Variables a text uses, in order, each once."""
    return list(dict.fromkeys(_VARIABLE.findall(text)))


def fill(text: str, values: Mapping[str, str]) -> tuple[str, list[str]]:
    """The text with its variables filled, and the names that had no value."""
    missing: list[str] = []

    def put(match: re.Match[str]) -> str:
        value = values.get(match[1], "")
        if not value:
            missing.append(match[1])
            return match[0]
        return value

    filled = _VARIABLE.sub(put, text)
    return filled, list(dict.fromkeys(missing))


def check(title: str, shortcut: str, texts: Mapping[str, str]) -> None:
    """Raises `Invalid` for an answer without title or text, too long a text, or a variable that does not exist."""
    if not title.strip():
        raise Invalid("A canned answer needs a title.", field="title")
    if len(title) > 200 or len(shortcut) > 60:
        raise Invalid("A title has at most 200 characters, a shortcut 60.", field="title")
    if not any(text.strip() for text in texts.values()):
        raise Invalid("A canned answer needs a text in at least one language.", field="texts")
    for language, text in texts.items():
        if len(text) > MAX_TEXT:
            raise Invalid(f"The text in {language} is longer than {MAX_TEXT} characters.", field="texts")
        unknown = [name for name in names_in(text) if name not in VARIABLES]
        if unknown:
            raise Invalid(
                f"The text in {language} uses {{{{{unknown[0]}}}}}, which does not exist; there are: {', '.join(VARIABLES)}.",
                field="texts",
            )
