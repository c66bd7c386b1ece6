"""The words of the taking-in-charge answer in six languages, with the ticket's number and the opening hours.

The brand decides between the formal and the familiar form; a language we have no words for gets the brand's, then English.
"""

from __future__ import annotations

from services.tickets.domain.brand import Brand
from services.tickets.domain.hours import Opening

_DAYS = {
    "it": ("lun", "mar", "mer", "gio", "ven", "sab", "dom"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "de": ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"),
    "fr": ("lun.", "mar.", "mer.", "jeu.", "ven.", "sam.", "dim."),
    "es": ("lun", "mar", "mié", "jue", "vie", "sáb", "dom"),
    "pt": ("seg", "ter", "qua", "qui", "sex", "sáb", "dom"),
}
_ALWAYS = {
    "it": "tutti i giorni, a ogni ora",
    "en": "every day, at any hour",
    "de": "täglich rund um die Uhr",
    "fr": "tous les jours, à toute heure",
    "es": "todos los días, a cualquier hora",
    "pt": "todos os dias, a qualquer hora",
}
# (language, formal): greeting and body. {name} is empty or a space and the name; {number}, {hours} and {brand} are always there.
_TEXTS = {
    ("it", True): (
        "Gentile cliente{name},\n\nabbiamo preso in carico la Sua richiesta con il numero {number}. Le risponderemo al più "
        "presto; i nostri orari: {hours}.\nPer aggiungere qualcosa può rispondere a questo messaggio.\n\n{brand}"
    ),
    ("it", False): (
        "Ciao{name},\n\nabbiamo preso in carico la tua richiesta con il numero {number}. Ti risponderemo al più "
        "presto; i nostri orari: {hours}.\nSe vuoi aggiungere qualcosa, rispondi a questo messaggio.\n\n{brand}"
    ),
    ("en", True): (
        "Dear customer{name},\n\nwe have received your request and registered it as number {number}. We will answer as soon "
        "as we can; our hours: {hours}.\nTo add anything, please reply to this message.\n\n{brand}"
    ),
    ("en", False): (
        "Hello{name},\n\nwe have your request: it is number {number}. We will answer as soon as we can; our hours: {hours}.\n"
        "To add anything, just reply to this message.\n\n{brand}"
    ),
    ("de", True): (
        "Guten Tag{name},\n\nwir haben Ihre Anfrage unter der Nummer {number} aufgenommen. Wir antworten Ihnen so bald wie "
        "möglich; unsere Zeiten: {hours}.\nWenn Sie etwas ergänzen möchten, antworten Sie einfach auf diese Nachricht.\n\n{brand}"
    ),
    ("de", False): (
        "Hallo{name},\n\nwir haben deine Anfrage unter der Nummer {number} aufgenommen. Wir antworten dir so bald wie "
        "möglich; unsere Zeiten: {hours}.\nWenn du etwas ergänzen möchtest, antworte einfach auf diese Nachricht.\n\n{brand}"
    ),
    ("fr", True): (
        "Bonjour{name},\n\nnous avons bien pris en charge votre demande sous le numéro {number}. Nous vous répondrons dès que "
        "possible ; nos horaires : {hours}.\nPour ajouter quelque chose, répondez à ce message.\n\n{brand}"
    ),
    ("fr", False): (
        "Bonjour{name},\n\nnous avons bien pris en charge ta demande sous le numéro {number}. Nous te répondrons dès que "
        "possible ; nos horaires : {hours}.\nPour ajouter quelque chose, réponds à ce message.\n\n{brand}"
    ),
    ("es", True): (
        "Estimado cliente{name}:\n\nhemos registrado su solicitud con el número {number}. Le responderemos lo antes posible; "
        "nuestro horario: {hours}.\nSi desea añadir algo, responda a este mensaje.\n\n{brand}"
    ),
    ("es", False): (
        "Hola{name}:\n\nhemos registrado tu solicitud con el número {number}. Te responderemos lo antes posible; "
        "nuestro horario: {hours}.\nSi quieres añadir algo, responde a este mensaje.\n\n{brand}"
    ),
    ("pt", True): (
        "Estimado cliente{name},\n\nregistámos o seu pedido com o número {number}. Responderemos assim que possível; "
        "o nosso horário: {hours}.\nSe quiser acrescentar algo, responda a esta mensagem.\n\n{brand}"
    ),
    ("pt", False): (
        "Olá{name},\n\nregistámos o teu pedido com o número {number}. Responderemos assim que possível; "
        "o nosso horário: {hours}.\nSe quiseres acrescentar algo, responde a esta mensagem.\n\n{brand}"
    ),
}
_SUBJECTS = {
    "it": "Richiesta presa in carico",
    "en": "We have your request",
    "de": "Ihre Anfrage ist bei uns",
    "fr": "Demande prise en charge",
    "es": "Solicitud registrada",
    "pt": "Pedido registado",
}
LANGUAGES = tuple(_SUBJECTS)


def language_of(wanted: str, brand: Brand) -> str:
    """The customer's language if we have words for it, else the brand's, else English."""
    for language in (wanted[:2].lower(), brand.language[:2].lower()):
        if language in _SUBJECTS:
            return language
    return "en"


def hours_line(brand: Brand, language: str) -> str:
    """Opening hours in words: `lun–ven 09:00–18:00, sab 09:00–13:00`."""
    days = _DAYS[language]
    if not brand.hours.openings:
        return _ALWAYS[language]
    by_day: dict[int, list[Opening]] = {}
    for opening in brand.hours.openings:
        by_day.setdefault(opening.weekday, []).append(opening)
    runs: list[tuple[int, int, str]] = []
    for day in sorted(by_day):
        spans = " ".join(
            f"{_clock(o.opens_minute)}–{_clock(o.closes_minute)}"
            for o in sorted(by_day[day], key=lambda o: o.opens_minute)
        )
        if runs and runs[-1][1] == day - 1 and runs[-1][2] == spans:
            runs[-1] = (runs[-1][0], day, spans)
        else:
            runs.append((day, day, spans))
    return ", ".join(
        f"{days[first]} {spans}" if first == last else f"{days[first]}–{days[last]} {spans}"
        for first, last, spans in runs
    )


def compose(brand: Brand, *, language: str, number: int, name: str) -> tuple[str, str]:
    """Subject and text. A name with a line break or a link in it is left out: strangers choose it."""
    safe = name.strip() if name.isprintable() and "://" not in name and "@" not in name and len(name) <= 80 else ""
    text = _TEXTS[(language, brand.formal)].format(
        name=f" {safe}" if safe else "", number=number, hours=hours_line(brand, language), brand=brand.name or ""
    )
    return f"{_SUBJECTS[language]} [#{number}]", text.rstrip()


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
