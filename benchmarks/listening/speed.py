"""Cost of each pure step of listening on one core: `python benchmarks/listening/speed.py`. Posts are made up, seed fixed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from services.social.domain.text import normalise
from services.social.domain.watch import Post, WatchSet, parse
from services.social.models.language import LanguageModel
from services.social.models.sketch import Signature, Window, signature
from services.social.models.tone import ToneModel

WORDS = [
    "ordine",
    "pacco",
    "corriere",
    "ritardo",
    "grazie",
    "scarpe",
    "taglia",
    "reso",
    "rimborso",
    "assistenza",
    "sito",
    "arrivato",
    "ieri",
    "mai",
    "ancora",
    "bellissime",
    "perfetto",
    "pessimo",
    "vergogna",
    "qualcuno",
    "risponde",
    "due",
    "settimane",
    "negozio",
    "acme",
    "non",
    "è",
    "il",
    "la",
    "che",
    "per",
    "con",
]


def report(name: str, number: int, act: Callable[[], object]) -> None:
    started = time.perf_counter()
    act()
    spent = time.perf_counter() - started
    print(f"{name:<44}{spent / number * 1e6:>8.1f} us {number / spent:>10,.0f} a second")


def main() -> None:
    dice = random.Random(3)
    texts = [
        " ".join(dice.choices(WORDS, k=20)) + dice.choice(["", " #acme", " https://a.example"]) for _ in range(3000)
    ]
    posts = [Post(text) for text in texts]
    watches = WatchSet({str(n): parse(f'acme{n or ""} (ritardo OR "mai arrivato") -concorso') for n in range(50)})
    tone, language, window = ToneModel(), LanguageModel(), Window()
    tone.judge(texts[:10], ["it"] * 10)
    language.tell(texts[0])
    normal = [normalise(text) for text in texts]
    marks = [signature(text) for text in normal]
    report("normalise", len(texts), lambda: [normalise(text) for text in texts])
    report("match 50 watches", len(texts), lambda: [watches.match(post) for post in posts])
    report("language", len(texts), lambda: [language.tell(text) for text in texts])
    report("tone, batches of 256", len(texts), lambda: tone.judge(texts, ["it"] * len(texts)))
    report("tone, one at a time", 500, lambda: [tone.judge([text], ["it"]) for text in texts[:500]])
    report("signature", len(texts), lambda: [signature(text) for text in normal])
    report("search the window and add", len(texts), lambda: [_seen(window, mark) for mark in marks])


def _seen(window: Window, mark: Signature) -> str:
    found = window.find(mark, 1.0)
    window.add("men", mark, 0.0)
    return found


if __name__ == "__main__":
    main()
