"""Relevance as data: documents in six languages, queries, and which of them must and must not be found.

The same cases hold for every engine; "inflection" means what Snowball's stemmers join.
"""

from __future__ import annotations

from dataclasses import dataclass

DAY_US = 86_400_000_000
T0 = 1_772_000_000_000_000  # 25 February 2026


@dataclass(frozen=True)
class Text:
    id: str
    text: str
    language: str = "it"
    title: str = ""
    sender: str = ""
    files: str = ""
    kind: str = "message"


TEXTS = (
    Text("it1", "Buongiorno, il pacco è arrivato danneggiato e vorrei un rimborso."),
    Text("it2", "I pacchi sono danneggiati, tutti e due."),
    Text("it3", "La confezione del PACCO era DANNEGGIATA sul fondo"),
    Text("it4", "Il paco danegiato è ancora qui"),
    Text("it5", "pacchi danegiati, che delusione"),
    Text("it6", "Il pacco è perfetto, grazie!"),
    Text("it7", "Perché la spedizione non è mai partita? Abito in città, qualità pessima."),
    Text("it8", "perche la qualita e cosi bassa, in citta non arriva nulla"),
    Text("it9", "Nel sacco c'era solo sabbia, danneggiato no"),
    Text("it10", "Ordine ORD-2026/00123 mai ricevuto, l'ordine è del 3 marzo."),
    Text("it11", "Chiamatemi al +39 347 123 4567 dopo le 18"),
    Text("it12", "Il mio numero: 3471234567, la mia mail anna.rossi@example.com"),
    Text("it13", "Codice EAN 80-1234_56.X e reso RMA#77-b"),
    Text("it14", "Reso della fattura", files="fattura-marzo.pdf scontrino.jpg", title="Scontrino mancante"),
    Text("en1", "The parcel arrived damaged and I want my money back.", "en"),
    Text("en2", "It damages your reputation: two parcels were lost", "en"),
    Text("en3", "Great service, thank you for the quick delivery", "en", sender="Jürgen Müller"),
    Text("de1", "Das Päckchen für die Straße ist beschädigt, bitte um Rückerstattung", "de"),
    Text("de2", "Das Paeckchen fuer die Strasse kam nie an", "de"),
    Text("de3", "Wo bleiben meine Bestellungen? Die Lieferung fehlt", "de"),
    Text("fr1", "Mon colis est endommagé, les boîtes étaient écrasées", "fr"),
    Text("fr2", "Les colis endommages sont revenus", "fr"),
    Text("es1", "El paquete llegó dañado y quiero una devolución", "es"),
    Text("es2", "Los paquetes dañados siguen aquí, mañana llamo", "es"),
    Text("pt1", "Preciso de informações sobre a encomenda", "pt"),
    Text("pt2", "As informacoes das encomendas nao chegaram", "pt"),
    Text("un1", "spedizioni in ritardo", ""),
    Text("x1", "Attenzione: <script>alert(1)</script> & <b>pacco</b>"),
    Text("n1", "Nota interna: il pacco va rimborsato", kind="note"),
    Text("d1", "Il rimborso e\u0301 arrivato, pero\u0300 a meta\u0300", "it"),
)


@dataclass(frozen=True)
class Case:
    query: str
    found: frozenset[str]
    not_found: frozenset[str] = frozenset()
    exactly: bool = False


def _case(query: str, found: str, not_found: str = "", *, exactly: bool = False) -> Case:
    return Case(query, frozenset(found.split()), frozenset(not_found.split()), exactly)


CASES = (
    _case("pacco danneggiato", "it1 it2 it3 it4 it5", "it6 it9 it7 en1 x1", exactly=True),
    _case("pacchi danneggiata", "it1 it2 it3", "it6"),
    _case("PACCO DANNEGGIATO", "it1 it2 it3 it4"),
    _case("paco dannegiato", "it1 it2 it3 it4"),
    _case("perché qualità", "it7 it8", exactly=True),
    _case("perche qualita citta", "it7 it8", exactly=True),
    _case("spedizione", "it7 un1"),
    _case("l'ordine", "it10", "it1"),
    _case("ORD-2026/00123", "it10", exactly=True),
    _case("ord202600123", "it10", exactly=True),
    _case("+39 347 1234567", "it11"),
    _case("3471234567", "it11 it12", exactly=True),
    _case("+393471234567", "it11 it12", exactly=True),
    _case("anna.rossi@example.com", "it12", exactly=True),
    _case("ANNA.ROSSI@Example.com", "it12", exactly=True),
    _case("80-1234_56.X", "it13", exactly=True),
    _case("RMA#77-b", "it13", exactly=True),
    _case('"pacco è arrivato"', "it1", "it6", exactly=True),
    _case('"arrivato pacco"', "", "it1", exactly=True),
    _case("pacco -danneggiato", "it6 n1 x1", "it1 it2 it3"),
    _case("pacco NOT danneggiata", "it6", "it1 it2 it3"),
    _case("parcel OR colis", "en1 en2 fr1 fr2", "it1"),
    _case("(parcel OR colis) (damaged OR endommagé)", "en1 en2 fr1 fr2", exactly=True),
    _case("dannegg*", "it1 it2 it3 it9", "it4 it6", exactly=True),
    _case("pacco NEAR/3 danneggiato", "it1 it2", "it6"),
    _case("parcel damaged", "en1 en2", "it1"),
    _case("Päckchen Straße", "de1 de2", exactly=True),
    _case("Paeckchen Strasse", "de1 de2", exactly=True),
    _case("Packchen", "de1 de2"),
    _case("beschädigt", "de1"),
    _case("Bestellung", "de3"),
    _case("endommagé colis", "fr1 fr2", exactly=True),
    _case("boites ecrasees", "fr1"),
    _case("paquete dañado", "es1 es2", exactly=True),
    _case("paquetes danados", "es1 es2", exactly=True),
    _case("informações encomenda", "pt1 pt2", exactly=True),
    _case("informacoes encomendas", "pt1 pt2", exactly=True),
    _case("from:müller", "en3", exactly=True),
    _case("da:muller", "en3", exactly=True),
    _case("from:mueler", "", "it1"),
    _case("in:subject scontrino", "it14", exactly=True),
    _case("in:files fattura", "it14", exactly=True),
    _case("fattura-marzo.pdf", "it14"),
    _case("kind:note pacco", "n1", exactly=True),
    _case("tipo:nota", "n1", exactly=True),
    _case("metà però", "d1"),
    _case("zzzqqq", "", exactly=True),
    _case("-pacco kind:note", "", exactly=True),
)
