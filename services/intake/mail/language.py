"""A hint at the language a mail is written in: its own header, else its script and its small words.

Small words of a few hundred letters tell these languages apart at a tenth of a model's cost; what they do not tell is
left open, and the tickets' side may look closer.
"""

from __future__ import annotations

import re
from collections import Counter

_CHARS = 160
_TAG = re.compile(r"\s*([A-Za-z]{2})\b")
_WORD = re.compile(r"[^\W\d_]+")
_KANA = re.compile("[\u3040-\u30ff]")
_HAN = re.compile("[\u4e00-\u9fff]")
_CYRILLIC = re.compile("[\u0400-\u04ff]")
_SMALL = {
    "it": "il lo gli che non mio mia ho è sono per con una del della vorrei ordine pacco ancora grazie buongiorno salve quando arrivato ricevuto perché anche questo alla nel come mi vi avete qualcosa",
    "de": "der die das und nicht ich ist mein meine habe eine einen wurde mit für noch danke hallo guten bestellung paket wann bitte leider aber auch ihr ihre sehr geehrte sie wir auf dem den zu",
    "fr": "le les des et pas je est mon ma mes une pour avec merci bonjour commande colis quand vous nous votre mais aussi reçu suis ce cette sur dans du au ne que qui j n pouvez",
    "es": "el los las y no es mi mis una para con gracias hola pedido paquete cuando usted pero también he recibido buenos días por favor que del al está mi muy quiero todavía llegado se",
    "pt": "o os as e não é meu minha uma para com obrigado obrigada olá encomenda pedido quando você mas também recebi bom dia por favor que do da ao está muito quero ainda chegou em um",
    "nl": "de het een en niet ik is mijn heb met voor nog bedankt hallo goedendag bestelling pakket wanneer u maar ook ontvangen op van dat wij kunt kan zijn naar wel",
    "pl": "i nie jest moje moja mam na z do się że dziękuję dzień dobry zamówienie paczka kiedy proszę ale też jak czy to w od przez jeszcze mój",
    "en": "the and not i is my have a an of to for with thanks thank hello order parcel package when you but also received please it was this that on in are your can has still",
}
_LANGUAGES: dict[str, tuple[str, ...]] = {
    word: tuple(language for language, words in _SMALL.items() if word in words.split())
    for word in {word for words in _SMALL.values() for word in words.split()}
}


def hint(text: str, *, content_language: str = "", accept_language: str = "") -> str:
    """Two letters (ISO 639-1), or an empty string when nothing tells."""
    if match := _TAG.match(content_language):
        return match.group(1).lower()
    if told := _told(text[:_CHARS]):
        return told
    match = _TAG.match(accept_language)
    return match.group(1).lower() if match else ""


def _told(sample: str) -> str:
    if not sample.isascii():
        if _KANA.search(sample):
            return "ja"
        if len(_HAN.findall(sample)) >= 4:
            return "zh"
        if len(_CYRILLIC.findall(sample)) >= 8:
            return "ru"
    votes: Counter[str] = Counter()
    for word in _WORD.findall(sample.lower()):
        for language in _LANGUAGES.get(word, ()):
            votes[language] += 1
    if not votes:
        return ""
    (best, most), *others = votes.most_common(2)
    return best if most >= 2 and most > (others[0][1] if others else 0) else ""
