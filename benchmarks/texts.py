"""Contacts of about 1 KB with a fixed seed, the same for the probe and the product."""

from __future__ import annotations

import json
import random
from functools import lru_cache

_DIFFERENT = 2_000
_WORDS = [
    "ordine",
    "pacco",
    "consegna",
    "corriere",
    "rimborso",
    "reso",
    "lampada",
    "vetro",
    "rotto",
    "scatola",
    "danneggiata",
    "ritardo",
    "fattura",
    "indirizzo",
    "cambio",
    "colore",
    "taglia",
    "servizio",
    "cliente",
    "risposta",
    "telefono",
    "mail",
    "sconto",
    "codice",
    "carrello",
    "pagamento",
    "carta",
    "bonifico",
    "garanzia",
    "ricambio",
    "paralume",
    "tavolo",
    "sedia",
    "vaso",
    "quando",
    "dove",
    "perché",
    "ancora",
    "sempre",
    "mai",
    "grazie",
    "buongiorno",
    "cortesia",
    "attesa",
    "settimana",
    "giorno",
    "ieri",
    "oggi",
    "domani",
    "arrivato",
    "spedito",
    "perso",
]


@lru_cache(maxsize=2 * _DIFFERENT)
def _text(number: int, size_bytes: int) -> str:
    source = random.Random(number)
    chosen: list[str] = []
    length = 0
    while length < size_bytes:
        word = source.choice(_WORDS)
        chosen.append(word)
        length += len(word) + 1
    return " ".join(chosen)


def words(number: int, size_bytes: int = 880) -> str:
    """A text of about `size_bytes` that is always the same for a number; made once, so that the client is no brake."""
    return _text(number % _DIFFERENT, size_bytes)


def contact(number: int, run: str = "b") -> bytes:
    """JSON of `POST /hooks/api/{account}`: every contact its own sender."""
    return json.dumps(
        {
            "external_id": f"{run}-{number}",
            "from": {"email": f"c{number}.{run}@posta.example", "name": "Cliente Esempio"},
            "subject": f"Ordine LC-{10_000 + number}",
            "text": words(number),
        }
    ).encode()
