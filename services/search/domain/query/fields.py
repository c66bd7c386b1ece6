"""The fields of the query language, in English and Italian, and what their values may be."""

from __future__ import annotations

import difflib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `kind` says how its value is read (exact, words, choice, moment, span, sort)."""

    name: str
    kind: str
    aliases: tuple[str, ...] = ()
    choices: tuple[tuple[str, tuple[str, ...]], ...] = ()  # value → other names for it

    def choice(self, value: str) -> str:
        """The value meant, or nothing."""
        wanted = value.lower()
        for name, others in self.choices:
            if wanted == name or wanted in others:
                return name
        return ""


_STATES = (
    ("new", ("nuovo", "nuovi")),
    ("open", ("aperto", "aperti", "aperta")),
    ("waiting", ("attesa", "in-attesa", "pending")),
    ("solved", ("risolto", "risolti", "resolved")),
    ("closed", ("chiuso", "chiusi")),
    ("spam", ()),
)

FIELDS = (
    Field("customer", "words", ("cliente",)),
    Field("from", "words", ("da", "mittente", "author", "autore")),
    Field("to", "words", ("a", "destinatario")),
    Field("agent", "exact", ("assignee", "operatore", "assegnato", "agente")),
    Field("team", "exact", ("squadra", "gruppo")),
    Field("brand", "exact", ("marchio", "negozio")),
    Field("channel", "exact", ("canale",)),
    Field("account", "exact", ("casella", "conto")),
    Field("tag", "exact", ("etichetta", "tags")),
    Field("state", "choice", ("stato", "status"), _STATES),
    Field(
        "is",
        "choice",
        ("è", "e"),
        (
            *_STATES,
            ("late", ("tardi", "ritardo", "in-ritardo", "overdue")),
            ("unassigned", ("libero", "non-assegnato")),
            ("mine", ("mio", "miei")),
            ("unsolved", ("irrisolto", "active")),
            ("automatic", ("automatico",)),
            ("any", ("tutto", "all", "qualsiasi")),
        ),
    ),
    Field(
        "has",
        "choice",
        ("ha", "con"),
        (("attachment", ("attachments", "allegato", "allegati", "file", "files")), ("order", ("ordine",))),
    ),
    Field("order", "words", ("ordine",)),
    Field("lang", "exact", ("lingua", "language")),
    Field(
        "tone",
        "choice",
        ("tono", "sentiment"),
        (
            ("negative", ("negativo", "neg")),
            ("neutral", ("neutro", "neutrale")),
            ("positive", ("positivo", "pos")),
        ),
    ),
    Field(
        "kind",
        "choice",
        ("tipo", "type"),
        (
            ("ticket", ("tickets",)),
            ("message", ("messaggio", "messaggi", "messages")),
            ("note", ("nota", "notes")),
            ("mention", ("menzione", "menzioni", "mentions")),
            ("customer", ("cliente", "clienti", "customers")),
        ),
    ),
    Field(
        "in",
        "choice",
        ("nel", "nella"),
        (
            ("subject", ("oggetto", "title")),
            ("body", ("testo", "text", "corpo")),
            ("notes", ("note", "nota")),
            ("files", ("file", "allegati", "attachments")),
        ),
    ),
    Field("before", "moment", ("prima", "entro", "until")),
    Field("after", "moment", ("dopo", "since", "dal")),
    Field("on", "moment", ("il", "giorno", "date", "data")),
    Field("last", "span", ("ultimi", "ultime", "ultimo")),
    Field("created", "moment", ("creato", "opened", "aperto")),
    Field("solved", "moment", ("risolto",)),
    Field(
        "sort",
        "sort",
        ("ordina", "ordinamento"),
        (
            ("new", ("newest", "nuovi", "recenti", "recente", "desc")),
            ("old", ("oldest", "vecchi", "asc")),
            ("best", ("relevance", "score", "rilevanza", "migliori")),
        ),
    ),
)

BY_NAME = {name: field for field in FIELDS for name in (field.name, *field.aliases)}

# Known elsewhere in the product but not kept by this index: the sentence that says so.
UNKEPT = {
    ("is", "unread"): "unread_unkept",
    ("has", "draft"): "drafts_unkept",
}


def find(name: str) -> Field | None:
    """The field of that name, in either language and any case."""
    return BY_NAME.get(name.lower())


def nearest(name: str) -> str:
    """A field's name that `name` may have been meant to be, English first, or nothing."""
    lowered = name.lower()
    close = difflib.get_close_matches(lowered, BY_NAME, n=3, cutoff=0.6)
    begins = sorted(known for known in BY_NAME if len(lowered) >= 2 and known.startswith(lowered))
    candidates = close or begins
    own = [known for known in candidates if BY_NAME[known].name == known]
    return (own or candidates or [""])[0]


def nearest_choice(field: Field, value: str) -> str:
    """A value of the field that `value` may have been meant to be, or nothing."""
    known = {name: choice for choice, others in field.choices for name in (choice, *others)}
    close = difflib.get_close_matches(value.lower(), known, n=1, cutoff=0.6)
    return known[close[0]] if close else ""
