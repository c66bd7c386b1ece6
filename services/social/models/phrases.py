"""Phrases of a shop's customers, made from our own templates: a supplement to the fit, so that "arrived early" counts.

Written by hand for the fit only; the running product does not read this file.
"""

from __future__ import annotations

from typing import Final

# subjects | negative ends | neutral ends | positive ends; each subject is joined with each end.
_TEMPLATES: Final[dict[str, tuple[str, str, str, str]]] = {
    "it": (
        "il pacco|il mio ordine|la spedizione|il reso|l'assistenza clienti|il corriere|il prodotto|il vostro sito",
        (
            "è in ritardo da giorni|non è mai arrivato|non risponde nessuno|è una vergogna|è un disastro|è arrivato rotto|"
            "mai più|pessima esperienza|fa schifo|ancora niente dopo due settimane|una presa in giro|sbagliato di nuovo|"
            "chiedo il rimborso e nessuno risponde|complimenti, davvero, tre settimane di attesa"
        ),
        (
            "arriva domani|quando arriva?|è stato spedito oggi|ha il numero di tracking|come funziona?|è disponibile in blu?|"
            "costa 20 euro|si può cambiare taglia?|vorrei sapere lo stato|è partito da Milano"
        ),
        (
            "è arrivato in anticipo|è perfetto|gentilissimi e veloci|tutto perfetto, grazie|arrivato in un giorno|"
            "ottima qualità|super consigliato|risolto subito, bravi|meglio di come speravo|impeccabile come sempre"
        ),
    ),
    "en": (
        "my parcel|my order|the delivery|the return|customer service|the courier|the product|your website",
        (
            "is days late|never arrived|nobody answers|is a disgrace|is a disaster|arrived broken|never again|"
            "worst experience|is useless|still nothing after two weeks|what a joke|wrong item again|"
            "i want a refund and nobody replies|well done, really, three weeks of waiting"
        ),
        (
            "arrives tomorrow|when does it arrive?|was shipped today|has a tracking number|how does it work?|"
            "is it available in blue?|costs 20 euros|can i change the size?|i would like to know the status|left the depot"
        ),
        (
            "arrived early|is perfect|so kind and quick|all perfect, thank you|arrived in one day|excellent quality|"
            "highly recommended|solved at once, well done|better than i hoped|flawless as always"
        ),
    ),
    "de": (
        "mein Paket|meine Bestellung|die Lieferung|die Retoure|der Kundenservice|der Kurier|das Produkt|eure Seite",
        (
            "ist seit Tagen verspätet|kam nie an|niemand antwortet|ist eine Frechheit|ist eine Katastrophe|kam kaputt an|"
            "nie wieder|schlechteste Erfahrung|ist unbrauchbar|nach zwei Wochen immer noch nichts|schon wieder falsch|"
            "ich will mein Geld zurück und keiner meldet sich|bravo, wirklich, drei Wochen Wartezeit"
        ),
        (
            "kommt morgen|wann kommt es?|wurde heute verschickt|hat eine Sendungsnummer|wie funktioniert das?|"
            "gibt es das in blau?|kostet 20 Euro|kann ich die Größe ändern?|ich möchte den Status wissen"
        ),
        (
            "kam früher an|ist perfekt|so freundlich und schnell|alles bestens, danke|war in einem Tag da|top Qualität|"
            "sehr zu empfehlen|sofort gelöst, klasse|besser als erhofft|einwandfrei wie immer"
        ),
    ),
    "fr": (
        "mon colis|ma commande|la livraison|le retour|le service client|le livreur|le produit|votre site",
        (
            "a des jours de retard|n'est jamais arrivé|personne ne répond|est une honte|est une catastrophe|est arrivé cassé|"
            "plus jamais|la pire expérience|est nul|toujours rien après deux semaines|encore une erreur|"
            "je veux un remboursement et personne ne répond|bravo, vraiment, trois semaines d'attente"
        ),
        (
            "arrive demain|quand arrive-t-il ?|a été expédié aujourd'hui|a un numéro de suivi|comment ça marche ?|"
            "existe en bleu ?|coûte 20 euros|peut-on changer la taille ?|je voudrais connaître le statut"
        ),
        (
            "est arrivé en avance|est parfait|très gentils et rapides|tout est parfait, merci|arrivé en un jour|"
            "excellente qualité|je recommande vivement|réglé tout de suite, bravo|mieux que prévu|impeccable comme toujours"
        ),
    ),
    "es": (
        "mi paquete|mi pedido|el envío|la devolución|la atención al cliente|el repartidor|el producto|vuestra web",
        (
            "lleva días de retraso|nunca llegó|nadie responde|es una vergüenza|es un desastre|llegó roto|nunca más|"
            "la peor experiencia|no sirve|todavía nada después de dos semanas|otra vez equivocado|"
            "quiero el reembolso y nadie contesta|enhorabuena, de verdad, tres semanas esperando"
        ),
        (
            "llega mañana|¿cuándo llega?|se envió hoy|tiene número de seguimiento|¿cómo funciona?|¿está en azul?|"
            "cuesta 20 euros|¿puedo cambiar la talla?|quisiera saber el estado"
        ),
        (
            "llegó antes de tiempo|es perfecto|muy amables y rápidos|todo perfecto, gracias|llegó en un día|"
            "excelente calidad|muy recomendable|resuelto enseguida, genial|mejor de lo que esperaba|impecable como siempre"
        ),
    ),
    "pt": (
        "minha encomenda|meu pedido|a entrega|a devolução|o atendimento|o entregador|o produto|o site de vocês",
        (
            "está dias atrasado|nunca chegou|ninguém responde|é uma vergonha|é um desastre|chegou quebrado|nunca mais|"
            "a pior experiência|não presta|ainda nada depois de duas semanas|errado de novo|"
            "quero o reembolso e ninguém responde|parabéns mesmo, três semanas esperando"
        ),
        (
            "chega amanhã|quando chega?|foi enviado hoje|tem código de rastreio|como funciona?|tem em azul?|"
            "custa 20 euros|posso trocar o tamanho?|gostaria de saber o status"
        ),
        (
            "chegou antes do prazo|é perfeito|muito gentis e rápidos|tudo perfeito, obrigado|chegou em um dia|"
            "ótima qualidade|super recomendo|resolvido na hora, parabéns|melhor do que esperava|impecável como sempre"
        ),
    ),
}


def generate(language: str) -> list[tuple[str, int]]:
    """Sentences with their label (0 negative, 1 neutral, 2 positive): each subject with each end, once."""
    subjects, *ends = _TEMPLATES[language]
    return [
        (f"{subject} {end}", label)
        for label, group in enumerate(ends)
        for end in group.split("|")
        for subject in subjects.split("|")
    ]
