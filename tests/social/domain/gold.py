"""Sentences of an invented shop's customers, written by hand: orders, delivery, returns, courtesy, irony.

One a line after its tone (- negative, 0 neutral, + positive). They measure the tone model; it is never fitted on them.
"""

from __future__ import annotations

_LINES = {
    "it": """
- Sono due settimane che aspetto le scarpe e nessuno mi sa dire dove siano
- Ho pagato e non ho ricevuto niente, mi sento truffata
- Servizio clienti inesistente, ho chiamato sei volte
- La borsa è arrivata strappata e puzza di muffa
- Mi hanno mandato la taglia sbagliata per la seconda volta
- Ancora in attesa del rimborso di marzo, è scandaloso
- Sconsiglio a tutti questo negozio, inaffidabili
- Il corriere ha lasciato la scatola sotto la pioggia, tutto bagnato
- Dopo un lavaggio il maglione è da buttare
- Prezzi alti e qualità pessima, mai più
- Che delusione, lo stivale si è rotto dopo due giorni
- Grazie mille per avermi rovinato il compleanno di mia figlia
- Complimenti per la puntualità: ordinato a natale, arrivato a pasqua
- Bravi, bravissimi, avete perso pure il secondo pacco
- Il sito si blocca sempre al pagamento, impossibile comprare
- Mi avete addebitato due volte e non rispondete alle mail
- Maleducati al telefono, mi hanno chiuso in faccia
- Non comprate qui, vi fregano i soldi
- La cerniera era difettosa e il reso me lo fanno pagare
- Vergognatevi, consegna promessa in 24 ore e sono passati dieci giorni
- Pessimo imballaggio, piatti tutti rotti
- Ho chiesto aiuto in chat e mi hanno ignorato
- Questa giacca scolorisce, soldi buttati
- Sempre la stessa storia, ritardi e scuse
- Ma possibile che un reso richieda due mesi? Assurdo
0 Qualcuno sa se spediscono anche in Svizzera?
0 Il mio ordine risulta in lavorazione da stamattina
0 Avete questo modello anche in verde?
0 Quanto costa la spedizione per le isole?
0 Il negozio di Torino apre alle dieci
0 Ho ordinato due magliette e un cappello
0 Dove trovo il numero della fattura?
0 Domani esce la nuova collezione autunno
0 Il reso si può fare entro trenta giorni
0 Il pacco risulta in transito a Bologna
0 Si può ritirare in negozio?
0 Vorrei cambiare l'indirizzo di consegna
0 La taglia 42 corrisponde alla M?
0 Ci sono saldi a gennaio?
0 Lavoro nel negozio di via Roma
0 Ho scritto al servizio clienti ieri
0 Il codice sconto vale fino a domenica
0 Accettate il pagamento alla consegna?
+ Scarpe bellissime, comodissime, le adoro
+ Arrivato tutto in due giorni, imballato benissimo
+ Servizio clienti gentilissimo, mi hanno aiutata subito
+ Consigliatissimo, compro qui da anni e mai un problema
+ Che bella sorpresa, il pacco era già a casa
+ Grazie a Marta dell'assistenza, davvero disponibile e simpatica
+ Qualità ottima e prezzo giusto, sono contenta
+ Reso facile e rimborso immediato, bravi
+ Il cappotto è meraviglioso, meglio che in foto
+ Finalmente un negozio serio e puntuale
+ Sono felicissimo del mio acquisto
+ Cinque stelle meritate, tornerò sicuramente
+ Spedizione velocissima, complimenti
+ Mia figlia è entusiasta dello zaino, grazie
+ Esperienza perfetta dall'ordine alla consegna
+ Amo questo negozio
+ Hanno risolto il mio problema in cinque minuti, efficienti
+ Materiali eccellenti, lo ricomprerei
+ Cordialità e professionalità, grazie di cuore
+ Tutto come descritto, molto soddisfatta
""",
    "en": """
- Three weeks and my boots are still nowhere, nobody picks up the phone
- The bag came torn and smells awful
- They charged me twice and ignore my emails
- Worst shop ever, stay away
- Great, another week of waiting, just what I needed
- The zip broke after two days, total waste of money
- Rude staff, they hung up on me
- I am so disappointed with this jacket
- Refund promised in April, still nothing
0 Does anyone know if they ship to Norway?
0 My order is being processed since this morning
0 Do you have this model in green?
0 The shop in Leeds opens at ten
0 Returns are possible within thirty days
0 Where can I find the invoice number?
0 I ordered two shirts and a hat
+ Lovely shoes, so comfortable, I love them
+ Everything came in two days, beautifully packed
+ Customer service was so kind and helped me right away
+ Great quality and fair price, very happy
+ Easy return and quick refund, thank you
+ The coat is wonderful, even better than in the pictures
+ Five stars, will definitely buy again
""",
    "de": """
- Seit drei Wochen warte ich auf meine Stiefel und niemand geht ans Telefon
- Die Tasche kam zerrissen an und stinkt
- Zweimal abgebucht und keine Antwort auf meine Mails
- Schlechtester Laden überhaupt, Finger weg
- Na toll, noch eine Woche warten
- Der Reißverschluss war nach zwei Tagen kaputt
- Unfreundliches Personal, einfach aufgelegt
- Ich bin sehr enttäuscht von dieser Jacke
0 Weiß jemand, ob sie auch nach Norwegen liefern?
0 Meine Bestellung ist seit heute in Bearbeitung
0 Gibt es dieses Modell auch in Grün?
0 Der Laden in Köln öffnet um zehn
0 Rückgabe ist innerhalb von dreißig Tagen möglich
0 Wo finde ich die Rechnungsnummer?
+ Wunderschöne Schuhe, so bequem, ich liebe sie
+ Alles in zwei Tagen da, super verpackt
+ Der Kundendienst war sehr nett und hat sofort geholfen
+ Tolle Qualität und fairer Preis, sehr zufrieden
+ Einfache Rückgabe und schnelle Erstattung, danke
+ Der Mantel ist wunderbar, noch schöner als auf dem Bild
+ Fünf Sterne, ich kaufe gerne wieder
""",
    "fr": """
- Trois semaines que j'attends mes bottes et personne ne décroche
- Le sac est arrivé déchiré et sent mauvais
- Débité deux fois et aucune réponse à mes mails
- Le pire magasin, fuyez
- Super, encore une semaine d'attente
- La fermeture s'est cassée au bout de deux jours, quelle arnaque
- Personnel impoli, ils m'ont raccroché au nez
- Je suis très déçue de cette veste
0 Quelqu'un sait s'ils livrent en Norvège ?
0 Ma commande est en préparation depuis ce matin
0 Avez-vous ce modèle en vert ?
0 La boutique de Lyon ouvre à dix heures
0 Le retour est possible sous trente jours
0 Où trouver le numéro de facture ?
+ Chaussures magnifiques, si confortables, je les adore
+ Tout est arrivé en deux jours, très bien emballé
+ Le service client a été adorable et m'a aidée tout de suite
+ Très bonne qualité et prix correct, ravie
+ Retour facile et remboursement rapide, merci
+ Le manteau est merveilleux, encore plus beau qu'en photo
+ Cinq étoiles, je reviendrai avec plaisir
""",
    "es": """
- Tres semanas esperando mis botas y nadie contesta el teléfono
- El bolso llegó roto y huele fatal
- Me cobraron dos veces y no responden a mis correos
- La peor tienda, no compréis aquí
- Genial, otra semana más de espera
- La cremallera se rompió a los dos días, dinero tirado
- Personal maleducado, me colgaron el teléfono
- Estoy muy decepcionada con esta chaqueta
0 ¿Alguien sabe si envían a Noruega?
0 Mi pedido está en preparación desde esta mañana
0 ¿Tenéis este modelo en verde?
0 La tienda de Sevilla abre a las diez
0 La devolución se puede hacer en treinta días
0 ¿Dónde encuentro el número de factura?
+ Zapatos preciosos, comodísimos, me encantan
+ Todo llegó en dos días, muy bien embalado
+ La atención fue muy amable y me ayudaron enseguida
+ Muy buena calidad y buen precio, contenta
+ Devolución fácil y reembolso rápido, gracias
+ El abrigo es maravilloso, mejor que en la foto
+ Cinco estrellas, volveré a comprar seguro
""",
    "pt": """
- Três semanas esperando minhas botas e ninguém atende o telefone
- A bolsa chegou rasgada e com cheiro horrível
- Cobraram duas vezes e não respondem meus emails
- A pior loja, não comprem aqui
- Ótimo, mais uma semana de espera
- O zíper quebrou em dois dias, dinheiro jogado fora
- Atendentes grossos, desligaram na minha cara
- Estou muito decepcionada com essa jaqueta
0 Alguém sabe se eles entregam na Noruega?
0 Meu pedido está em preparação desde hoje de manhã
0 Vocês têm esse modelo em verde?
0 A loja do Porto abre às dez
0 A devolução pode ser feita em trinta dias
0 Onde encontro o número da nota?
+ Sapatos lindos, muito confortáveis, adorei
+ Tudo chegou em dois dias, muito bem embalado
+ O atendimento foi muito gentil e me ajudou na hora
+ Ótima qualidade e preço justo, muito feliz
+ Devolução fácil e reembolso rápido, obrigada
+ O casaco é maravilhoso, melhor que na foto
+ Cinco estrelas, com certeza volto a comprar
""",
}
_TONES = {"-": "negative", "0": "neutral", "+": "positive"}
GOLD = {
    language: [(line[2:], _TONES[line[0]]) for line in lines.strip().splitlines()] for language, lines in _LINES.items()
}
