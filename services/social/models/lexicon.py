"""Beginnings of words that carry a tone, written by hand for a shop's customers and daily talk, folded as `domain.text`.

Features of the tone model, not a verdict: the fit decides what each is worth in each language. A beginning matches every
word that starts with it; one that ends in `$` matches the whole word only.
"""

from __future__ import annotations

from typing import Final

POSITIVE: Final[dict[str, str]] = {
    "it": """ottim eccellent perfett fantastic meravigli splendid stupend bellissim bello$ bella$ belli$ belle$ bravo$
        brava$ bravi$ bravissim grazie ringrazi grande$ grandi$ grandissim felic content amo$ adoro adora amore amor$
        piace piaciut vince vinc vittori auguri buon$ buona$ buono$ buoni$ buone$ migliore migliori complimenti
        gentil cortes veloc rapid puntual precis consigliat soddisf super$ evviva viva$ top$ efficient affidabil
        impeccabil professional disponibil sorris ridere speranz spero orgogli entusias comod perfez onest finalmente
        benissimo bene$ utilissim utile$ simpatic dolc carin magnific favolos incredibil successo merita""",
    "en": """good great excellent perfect fantastic wonderful amazing awesome beautiful love loved loves lovely happy
        happi thank thanks best better$ glad enjoy nice cool$ fun$ funny$ excit win$ wins winning won$ congrat
        brilliant kind helpful fast quick recommend satisf super yay polite friendly reliable flawless smile hope
        proud enthus comfort honest finally delight impress perfectly well$ blessed cute sweet epic legend pleased
        incredible outstanding superb like$ worth favourite favorite haha lol$ positive celebrat""",
    "de": """gut$ gute$ guter$ gutes$ guten$ super toll prima perfekt ausgezeichnet hervorragend fantastisch wunderbar
        wunderschon schon$ schone schoner schones liebe$ lieben$ liebt$ danke dank$ bedank gluck freu froh zufrieden
        beste$ bester$ besten$ bestes$ besser$ empfehl schnell punktlich zuverlassig freundlich nett hofflich
        hilfsbereit klasse genial geil cool$ lustig gewinn gewonnen sieg stolz begeister spass juhu endlich lecker
        grossartig erfolg hoffnung suss mega einwandfrei gerne$ unglaublich herzlich gratul gefallt hammer$ lieblings""",
    "fr": """bon$ bonne$ bons$ bonnes$ bien$ super excellent parfait fantastique magnifique merveill genial geniale beau$
        belle$ belles$ beaux$ aime$ aimer$ adore amour merci remerci heureu content ravi bravo felicit meilleur mieux$
        recommand rapide ponctuel fiable gentil agreable aimable efficace satisf impeccable professionnel souri espoir
        fier$ enthousias joie joli jolie top$ cool$ gagn victoire reussi enfin$ sympa mignon incroyable plaisir
        delicieu impressionn chouette formidable hate$ kiff mdr$ vive$""",
    "es": """bueno$ buena$ buenos$ buenas$ buen$ bien$ excelente perfect fantastic maravill genial estupend increible
        bonit precios hermos lindo linda guap amo$ amor$ encanta encant gracias agradec feliz felic alegr content mejor
        recomend rapid puntual fiable amable atent eficaz eficient satisfech satisf impecable profesional sonri
        esperanza orgull ilusion entusias divertid gana$ ganar ganamos victoria exito enhorabuena bravo$ ole$ grande$
        genio crack$ gusta gusto$ disfrut jaja viva$ guay mola$ magnific super$ quiero$ mejores favorit bendicion""",
    "pt": """bom$ boa$ bons$ boas$ bem$ otim excelente perfeit fantastic maravilh incrivel lindo linda lindos lindas bonit
        belo bela amo$ amor$ amei adoro adorei obrigad agradec feliz felic alegr content melhor recomend rapid pontual
        confiavel gentil atencios eficient satisfeit impecavel profissional sorri esperanca orgulh entusias divertid
        ganh vitoria sucesso parabens viva$ top$ show$ legal$ gosto$ gostei gostoso fofo fofa haha rsrs kkk melhores
        sensacional saudad abencoad genial magnific curti querid favorit sonho""",
}
NEGATIVE: Final[dict[str, str]] = {
    "it": """pessim orribil terribil schif vergogn scandal truff ladr fregat delus deludent peggio peggior brutt male$
        malissim odio$ odia$ odiare cazz merd stronz coglion idiot stupid imbecill ignorant ridicol assurd incompeten
        maleducat scortes rotto$ rotta$ rotti$ rotte$ difett danneggiat ritard mancant mancat smarrit sbagliat sbaglio
        errore problem inutil impossibil inaccettabil rimbors reclam lament nessuno$ nessuna$ mai$ niente$ nulla$ basta
        purtroppo trist piang pianto morto$ morti$ morte$ paura rabbia arrabbia incazz crisi tasse$ corrott fallim
        perso$ perdere colpa pagare schifos disastr bugiard falsi$ falso$ palle$ rovin vaffancul sporc inaffidab lent
        abbandon attesa aspett""",
    "en": """bad worst worse terrible horrible awful hate hated hates shit fuck damn hell$ stupid idiot dumb ridiculous
        absurd disgust shame scandal scam fraud thief thieves disappoint poor$ broken defect damaged late$ delay missing
        lost$ wrong error problem issue useless unacceptable refund complain never$ nobody$ nothing$ sad$ sadly cry
        crying dead$ death$ die$ kill fear angry upset annoy crisis fail lose$ loser loss fault blame lie$ liar lies
        fake disaster rude incompeten ugly sick$ hurt pain suck boring tired hopeless unfortun slow$ ignored cancel
        waste wtf racist terror attack no$ not$ can't dont$ don't cannot worried bitch ass$ crap""",
    "de": """schlecht schlimm furchtbar schrecklich grauenhaft katastroph mies hass scheiss scheiß verdammt dumm idiot
        doof blod lacherlich absurd ekel schande skandal betrug betrog abzock enttausch kaputt defekt beschadigt verspat
        fehlt$ fehler falsch problem nutzlos unmoglich inakzeptab unverschamt unfreundlich inkompetent nie$ niemals
        niemand nichts$ leider traurig wein tot$ tod$ angst wut wutend sauer arger argerlich nerv krise verlor verlier
        schuld luge lugner fake$ frech langsam teuer verarsch arsch mist$ schwach krank schmerz kotz langweil nicht$
        kein keine$ keinen$ warte$ reklam beschwer nazi peinlich furcht schade gestohlen ignorier sinnlos""",
    "fr": """mauvais mauvaise pire nul$ nulle$ nuls$ horrible terrible affreu merde putain$ con$ connard conne$ cons$
        idiot stupide debile ridicule absurde honte scandal arnaqu vol$ voleur decu decev deception casse$ cassee
        defect abime endommag retard manqu erreur faux$ problem inutile impossible inacceptable inadmissible
        rembours plaint plaindre jamais$ personne$ rien$ malheureu triste pleur mort$ morte$ peur colere enerve crise
        perdu perdre faute mensonge menteu desastre catastroph impoli incompeten chier$ chiant degueu degout haine
        deteste relou saoul marre attend lent lente pas$ aucun aucune pourri fatigu mal$ mdr raciste fuir""",
    "es": """malo$ mala$ malos$ malas$ mal$ peor pesim horrible terrible fatal asco mierd puta$ puto joder cabron gilipoll
        idiot tont estupid imbecil ridicul absurd verguenza escandal estaf robo$ robar ladron decepc roto$ rota$ rotos
        defect danad retras tarde$ falta$ faltan perdido error equivoc problem inutil imposible inaceptab reembols
        queja quejar nunca$ nadie$ nada$ ningun lament triste llor muert miedo rabia enfad crisis corrup perder pierd
        culpa mentir mentira desastre maleduc incompet odio$ odia$ odiar dolor$ duele harto harta aburr cansad lento
        lenta no$ basura fracas verguen maldit pena$ enferm racista sin$ castig""",
    "pt": """ruim$ ruins$ mau$ ma$ pior pessim horrivel terrivel nojo merda porra$ caralho puta$ puto idiot burro burra
        estupid imbecil ridicul absurd vergonh escandal golpe$ fraude roubo roubar ladrao decepc quebrad defeit
        danific atras falta$ faltou perdid erro$ errado problem inutil impossivel inaceitavel reembols reclam nunca$
        ninguem$ nada$ nenhum infeliz triste chor morto morte morre medo$ raiva brav crise corrup perder perdeu culpa
        mentir mentira desastre grosseir incompet odeio$ odia$ odiar dor$ doi$ cansad cansei chato chata lento
        demora nao$ lixo fracass droga$ doente enjo inferno sofr desgrac bosta sem$ coitad""",
}
NEGATION: Final[dict[str, str]] = {
    "it": "non$ no$ mai$ senza$ nessun nemmeno neanche nemmen",
    "en": "not$ no$ never$ don$ doesn$ didn$ isn$ wasn$ won$ can$ cannot$ without$ nor$ dont$ cant$ didnt$ aint$",
    "de": "nicht$ kein nie$ niemals$ ohne$ nix$ nichts$ weder$",
    "fr": "pas$ ne$ jamais$ sans$ aucun ni$ rien$ plus$",
    "es": "no$ nunca$ sin$ ningun tampoco$ ni$ jamas$",
    "pt": "nao$ nunca$ sem$ nenhum nem$ jamais$",
}
# Emoji and emoticons say the same in every language.
GLAD: Final = "😀😃😄😁😆😅😂🤣😊😇🙂😉😌😍🥰😘😗😙😚😋😎🤩🥳🤗👍👏🙌🙏💪❤♥💕💖💗💙💚💛💜🧡🖤💓💞💘💝😻✨🎉🎊🏆⭐🌟☺👌💯🔥🌹🌸😜😝"
SAD: Final = "😞😔😟😕🙁☹😣😖😫😩🥺😢😭😤😠😡🤬😱😨😰😥😓🤢🤮👎💔😒🙄😑😐😪😿🤦🤡💩🖕😬😷🤒"
