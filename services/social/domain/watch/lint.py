"""Says what is wrong with a query before it is saved, or what it will miss."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from services.social.domain.text import fold
from services.social.domain.watch.match import Matcher
from services.social.domain.watch.parse import BadQuery, parse
from services.social.domain.watch.tree import And, Fault, Field, Node, Not, Or, Phrase, Word, leaves, render
from services.social.domain.watch.xrule import x_rules

# Words so common that alone they bring in all that is said in a language.
_COMMON = frozenset(
    [
        "il",
        "lo",
        "la",
        "le",
        "gli",
        "i",
        "un",
        "una",
        "di",
        "da",
        "in",
        "con",
        "su",
        "per",
        "che",
        "non",
        "e",
        "o",
        "ma",
        "si",
        "the",
        "a",
        "an",
        "of",
        "to",
        "and",
        "or",
        "is",
        "are",
        "it",
        "this",
        "that",
        "for",
        "on",
        "der",
        "die",
        "das",
        "ein",
        "eine",
        "und",
        "oder",
        "ist",
        "nicht",
        "mit",
        "von",
        "zu",
        "le",
        "les",
        "un",
        "une",
        "des",
        "et",
        "ou",
        "est",
        "pas",
        "avec",
        "pour",
        "el",
        "los",
        "las",
        "y",
        "es",
        "con",
        "por",
        "os",
        "as",
        "um",
        "uma",
        "em",
        "ao",
        "grazie",
        "thanks",
        "danke",
        "merci",
        "gracias",
        "obrigado",
        "ordine",
        "order",
        "pacco",
        "parcel",
        "shop",
        "negozio",
        "store",
    ]
)
# Nouns of a shop whose plural does not begin with the singular, so that a reader of one form misses the other.
_PLURALS = {
    singular: plural
    for pair in [
        "pacco/pacchi",
        "ordine/ordini",
        "reso/resi",
        "rimborso/rimborsi",
        "corriere/corrieri",
        "spedizione/spedizioni",
        "consegna/consegne",
        "negozio/negozi",
        "prodotto/prodotti",
        "recensione/recensioni",
        "scarpa/scarpe",
        "taglia/taglie",
        "offerta/offerte",
        "truffa/truffe",
        "reclamo/reclami",
        "fattura/fatture",
        "ritardo/ritardi",
        "sito/siti",
        "cliente/clienti",
        "order/orders",
        "refund/refunds",
        "delivery/deliveries",
        "parcel/parcels",
        "package/packages",
        "return/returns",
        "shop/shops",
        "store/stores",
        "courier/couriers",
        "review/reviews",
        "scam/scams",
        "complaint/complaints",
        "shoe/shoes",
        "customer/customers",
        "bestellung/bestellungen",
        "lieferung/lieferungen",
        "paket/pakete",
        "retoure/retouren",
        "kunde/kunden",
        "schuh/schuhe",
        "bewertung/bewertungen",
        "rechnung/rechnungen",
        "commande/commandes",
        "livraison/livraisons",
        "colis/colis",
        "remboursement/remboursements",
        "retour/retours",
        "avis/avis",
        "chaussure/chaussures",
        "client/clients",
        "pedido/pedidos",
        "envio/envios",
        "paquete/paquetes",
        "devolucion/devoluciones",
        "reembolso/reembolsos",
        "tienda/tiendas",
        "zapato/zapatos",
        "entrega/entregas",
        "encomenda/encomendas",
        "loja/lojas",
        "devolucao/devolucoes",
        "sapato/sapatos",
    ]
    for singular, plural in [pair.split("/")]
    if singular != plural
}
_LOWER_OPERATORS = frozenset({"and", "or", "not"})
_SHORTEST_PREFIX = 3


def lint(query: str, *, sources: Collection[str] = ()) -> list[Fault]:
    """Faults in order of position; empty for a good query. Never raises.

    `sources`: the kinds of source that exist, to check `source:` against; empty skips that check.
    """
    try:
        tree = parse(query)
    except BadQuery as error:
        return [error.fault]
    faults = [*_breadth(tree), *_never(tree), *_words(tree), *_fields(tree, sources), *_reach(tree)]
    return sorted(dict.fromkeys(faults), key=lambda fault: (not fault.blocking, fault.position))


def _breadth(tree: Node) -> Iterator[Fault]:
    anchors = Matcher(tree).anchors
    if anchors is None:
        if _narrow(tree):
            return
        yield Fault(
            0,
            "Too broad: a post needs no word to match.",
            "Add a word that must be there, such as your name.",
            blocking=True,
        )
        return
    for leaf in leaves(tree):
        if isinstance(leaf, Word) and leaf.prefix and len(leaf.text.lstrip("#@")) < _SHORTEST_PREFIX:
            yield Fault(
                leaf.position,
                f"Too broad: “{leaf.text}*”.",
                "Write at least three letters before the star.",
                blocking=True,
            )
    broad = sorted(word for word, prefix in anchors if not prefix and (word in _COMMON or len(word) < 2))
    if broad:
        place = next((leaf.position for leaf in leaves(tree) if isinstance(leaf, Word) and leaf.text in broad), 0)
        yield Fault(
            place, f"Too broad: “{broad[0]}” alone is everywhere.", "Join it with your name: acme AND …", blocking=False
        )


def _narrow(tree: Node) -> bool:
    """Whether an author, a site or a source bounds the query even without a word."""
    match tree:
        case Field(name):
            return name in ("author", "site", "source")
        case And(parts):
            return any(map(_narrow, parts))
        case Or(parts):
            return all(_narrow(part) or Matcher(part).anchors is not None for part in parts)
        case _:
            return Matcher(tree).anchors is not None


def _never(tree: Node) -> Iterator[Fault]:
    for group in _groups(tree):
        positive = {_plain(part) for part in group if not isinstance(part, Not)}
        for part in group:
            if isinstance(part, Not) and _plain(part.part) in positive:
                yield Fault(
                    leaves(part)[0].position,
                    f"Never matches: {render(part.part)} is wanted and unwanted.",
                    "Remove one of the two.",
                    blocking=True,
                )
        for name in ("author", "lang", "source", "tone"):
            asked = [part for part in group if isinstance(part, Field) and part.name == name]
            if len({field.value for field in asked}) > 1:
                yield Fault(
                    asked[1].position,
                    f"Never matches: a post has one {name}.",
                    f"Write ({name}:{asked[0].value} OR {name}:{asked[1].value}).",
                    blocking=True,
                )
        bounds = [part for part in group if isinstance(part, Field) and part.name == "followers"]
        lowest = max((int(one.value) for one in bounds if one.sign in (">", ">=", "=")), default=0)
        highest = min((int(one.value) for one in bounds if one.sign in ("<", "<=", "=")), default=lowest)
        if highest < lowest:
            yield Fault(bounds[-1].position, "Never matches: the two followers: exclude each other.", "", blocking=True)


def _groups(node: Node) -> Iterator[tuple[Node, ...]]:
    match node:
        case And(parts):
            yield parts
            for part in parts:
                yield from _groups(part)
        case Or(parts):
            for part in parts:
                yield from _groups(part)
        case Not(part):
            yield from _groups(part)
        case _:
            return


def _plain(node: Node) -> str:
    return render(node)


def _words(tree: Node) -> Iterator[Fault]:
    found = [leaf for leaf in leaves(tree) if isinstance(leaf, Word)]
    present = {word.text for word in found}
    beginnings = tuple(word.text for word in found if word.prefix)
    for word in found:
        if word.written in _LOWER_OPERATORS:
            upper = word.written.upper()
            yield Fault(
                word.position,
                f"“{word.written}” is read as a word.",
                f"Write {upper} in capitals to join words.",
                blocking=False,
            )
        plural = _PLURALS.get(word.text)
        if plural and not word.prefix and plural not in present and not (beginnings and plural.startswith(beginnings)):
            yield Fault(
                word.position, f"“{word.text}” misses the plural.", f"Write ({word.text} OR {plural}).", blocking=False
            )
    for leaf in leaves(tree):
        if isinstance(leaf, Phrase) and any("*" in part for part in leaf.written.split()):
            yield Fault(
                leaf.position,
                "A star inside quotation marks is not a beginning.",
                "Use NEAR/1 instead.",
                blocking=False,
            )


def _fields(tree: Node, sources: Collection[str]) -> Iterator[Fault]:
    known = {fold(source) for source in sources}
    for leaf in leaves(tree):
        if isinstance(leaf, Field) and leaf.name == "source" and known and leaf.value not in known:
            yield Fault(
                leaf.position,
                f"There is no source “{leaf.value}”.",
                "Sources: " + ", ".join(sorted(known)) + ".",
                blocking=True,
            )


def _reach(tree: Node) -> Iterator[Fault]:
    if Matcher(tree).anchors is not None and not x_rules(tree) and not _elsewhere(tree):
        yield Fault(
            0, "X cannot be asked for this.", "A word with a star needs a whole word beside it on X.", blocking=False
        )


def _elsewhere(tree: Node) -> bool:
    """Whether the query names another source than X, so that rules of X are not expected."""
    return any(isinstance(leaf, Field) and leaf.name == "source" and leaf.value != "x" for leaf in leaves(tree))
