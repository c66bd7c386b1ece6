"""What customers read on the form and in the chat, in six languages. Catalogues are `texts.json` beside this file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from services.intake.domain.brand import LANGUAGES, Brand


@cache
def _catalogue() -> Mapping[str, Mapping[str, str]]:
    found: Mapping[str, Mapping[str, str]] = json.loads((Path(__file__).parent / "texts.json").read_text("utf-8"))
    return found


def texts(language: str, *, formal: bool) -> dict[str, str]:
    """All texts of a language by key; formal ones over the plain where the language knows the difference."""
    every = _catalogue()
    made = dict(every[language if language in LANGUAGES else "en"])
    if formal:
        made |= every.get(f"{language}-formal", {})
    return made


def choose(brand: Brand, *, asked: str, accept: str) -> str:
    """The language to answer in: asked for, else the browser's first that the brand speaks, else the brand's."""
    spoken = [one for one in brand.languages if one in LANGUAGES] or [brand.language]
    if asked[:2].lower() in spoken:
        return asked[:2].lower()
    for part in accept[:500].split(","):
        code = part.partition(";")[0].strip()[:2].lower()
        if code in spoken:
            return code
    return brand.language
