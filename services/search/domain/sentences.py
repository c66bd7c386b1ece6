"""What search says to readers, in English and Italian. Whole sentences with named parts."""

from __future__ import annotations

_SENTENCES = {
    "en": {
        "deep": "By relevance only the first 10,000 are listed; add sort:new to go on, or a word to narrow it.",
        "damaged": "The search index is damaged and is being rebuilt: these are the newest messages with these words.",
        "building": "The search index is being built: these are the newest messages with these words.",
        "nothing_answers": "The search index is being rebuilt and the store does not answer; try again in a minute.",
        "no_facet": "The filter {name} is not known and was ignored.",
        "no_customers": "Searching by customer needs the right to read tickets.",
        "many_customers": "More than {most} customers have this name; the best {most} were taken.",
    },
    "it": {
        "deep": "Per pertinenza si elencano i primi 10.000; aggiungi ordina:nuovi per continuare, o una parola per restringere.",
        "damaged": "L’indice di ricerca è danneggiato e viene ricostruito: questi sono i messaggi più recenti con queste parole.",
        "building": "L’indice di ricerca è in costruzione: questi sono i messaggi più recenti con queste parole.",
        "nothing_answers": "L’indice di ricerca viene ricostruito e l’archivio non risponde; riprova tra un minuto.",
        "no_facet": "Il filtro {name} non è conosciuto ed è stato ignorato.",
        "no_customers": "Per cercare per cliente serve il permesso di leggere i ticket.",
        "many_customers": "Più di {most} clienti hanno questo nome; sono stati presi i {most} più adatti.",
    },
}


def say(language: str, sentence: str, /, **parts: str) -> str:
    """The named sentence in the reader's language, English when it is neither."""
    table = _SENTENCES["it" if language.lower().startswith("it") else "en"]
    return table[sentence].format(**parts)
