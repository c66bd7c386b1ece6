"""What a careful colleague would point out in an answer before it leaves: never blocking, by rules per language.

Pure: text in, names of what is amiss out, the most telling first. A language without rules gives only what needs none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

HINTS = ("greeting", "closing", "name", "formality", "shouting", "date")
_LONG = 160  # characters: shorter letters are still being written, or need no closing
_TITLES = re.compile(
    r"sig|signora?|signorina|dott|dottor|dottoressa|mrs?|ms|miss|sir|madam|herr|frau|monsieur|madame|sra?|don|dona"
    r"|senhora?|cliente|customer|kund(e|in)|client"
)
_GREETING: Mapping[str, str] = {
    "it": r"gentil|buongiorno|buonasera|buon pomeriggio|salve|ciao|egregi|car[oaie]\b|grazie",
    "en": r"dear|hello|hi\b|good (morning|afternoon|evening)|thank",
    "de": r"guten|hallo|liebe|sehr geehrte|moin|vielen dank",
    "fr": r"bonjour|bonsoir|chère?|madame|monsieur|merci",
    "es": r"hola|buen[oa]s|estimad|querid|gracias",
    "pt": r"ol[áa]|bo[am] (dia|tarde|noite)|prezad|car[oa]\b|estimad|obrigad",
}
_CLOSING: Mapping[str, str] = {
    "it": r"salut|cordial|a presto|grazie|buona (giornata|serata)|buon (lavoro|fine)",
    "en": r"regards|sincerely|thank|best|cheers|wishes",
    "de": r"grüße|grüßen|gruß|dank|gruss|gruesse",
    "fr": r"cordialement|salutations|merci|bonne (journée|soirée)|bien à vous",
    "es": r"saludo|gracias|atentamente|cordialmente",
    "pt": r"cumprimentos|obrigad|atenciosamente|abraço|saudações",
}
# The familiar and the polite form; a capital counts only inside a sentence, at its start every word has one.
_FORMS: Mapping[str, tuple[str, str]] = {
    "it": (r"\b(tu|ti|te|tuo|tua|tuoi|tue)\b", r"(?<=[\w,;:] )(Lei|La|Le|Suo|Sua|Suoi|Sue)\b"),
    "de": (r"\b(du|dir|dich|dein\w{0,2})\b", r"(?<=[\w,;:] )(Sie|Ihnen|Ihr\w{0,2})\b"),
    "fr": (r"\b(tu|toi|ton|tes)\b", r"\b(vous|votre|vos)\b"),
    "es": (r"\b(tú|tus?|ti|contigo)\b", r"\b(usted|ustedes)\b"),
}
_SOME_DAY: Mapping[str, str] = {
    "it": r"al più presto|quanto prima|(non )?appena possibile|a breve|prossimamente",
    "en": r"as soon as possible|asap|shortly|in due course",
    "de": r"so bald wie möglich|schnellstmöglich|demnächst|in kürze",
    "fr": r"dès que possible|au plus vite|sous peu|prochainement",
    "es": r"lo antes posible|cuanto antes|en breve",
    "pt": r"o mais breve possível|assim que possível|em breve",
}
_SHOUTING = re.compile(
    r"!{3,}|\b[^\W\d_a-zà-ÿ]{4,}(?:\s+[^\W\d_a-zà-ÿ]{4,}){1,}\b"
)  # three marks, or two words in capitals
_SENTENCE = re.compile(r"[^.!?\n]+")
_NAME = re.compile(r"\b[^\W\d_a-zà-ÿ][^\W\d_]{2,}")  # a capital and at least two more letters


def hints(text: str, *, language: str, letter: bool, customer: str) -> list[str]:
    """Which of `HINTS` apply; `letter` is a mail or a form, where a greeting and a closing are expected."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    greets, end = _says(_GREETING, language, lines[0][:40]), " ".join(lines[-3:])
    found = {
        "greeting": letter and language in _GREETING and not greets,
        "closing": letter and language in _CLOSING and len(text) > _LONG and not _says(_CLOSING, language, end),
        "name": greets and _other_name(lines[0], customer),
        "formality": language in _FORMS and _mixes(text, *_FORMS[language]),
        "shouting": bool(_SHOUTING.search(text)),
        "date": any(_says(_SOME_DAY, language, one) and not re.search(r"\d", one) for one in _SENTENCE.findall(text)),
    }
    return [name for name in HINTS if found[name]]


def _says(rules: Mapping[str, str], language: str, text: str) -> bool:
    return language in rules and bool(re.search(rf"\b({rules[language]})", text, re.IGNORECASE))


def _mixes(text: str, familiar: str, polite: str) -> bool:
    return bool(re.search(familiar, text, re.IGNORECASE)) and bool(re.search(polite, text))


def _other_name(line: str, customer: str) -> bool:
    """Whether the greeting names somebody who is not the customer."""
    known = set(_folded(customer).replace("-", " ").split())
    if not known:
        return False
    named = [_folded(one) for one in _NAME.findall(line.partition(",")[0])[1:]]  # the first is the greeting itself
    said = [one for one in named if not _TITLES.fullmatch(one)]
    return bool(said) and not known.intersection(said)


def _folded(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(c))
