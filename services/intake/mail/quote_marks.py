"""How mail programs announce what they quote, in the languages they speak. Data and line tests only.

Languages: it, de, fr, es, pt, nl, pl, ru, zh, ja, en. Programs: Outlook (desktop, web, mobile), Apple Mail, Gmail,
Proton, Yahoo, Thunderbird, and the mobile clients. Every pattern is applied to one line of at most 400 characters.
"""

# ruff: noqa: RUF001 (words of the customers' languages stand in their own letters)

from __future__ import annotations

import re

LINE = 400  # characters of a line that are looked at; keeps every pattern's cost bounded

# "On … wrote:": the words at the end, and the words at the beginning, which must both be there (over at most 4 lines).
_ENDS = (
    r"wrote|writes|schrieb(?: .{1,120})?|geschrieben|schreibt|a écrit|écrit|ha scritto|scrive|ha scritto quanto segue"
    r"|escribió|escribio|ha escrito|escreveu|schreef(?: .{1,120})?|heeft .{0,80}geschreven|geschreven|pisze|napisał(?:a|\(a\))?|napisali|написал(?:а|\(а\))?|пишет|писал(?:а|\(а\))?"
)
_END = re.compile(rf"(?:^|\s)(?:{_ENDS})\s?[:：]\s*\Z", re.IGNORECASE)
_END_EAST = re.compile(r"(?:写道|寫道|のメール|書きました|さんは書きました|wrote)\s?[:：]\s*\Z", re.IGNORECASE)
_BEGIN = re.compile(
    r"\s*(?:(?:on|at|am|den|le|il|el|em|no dia|op|dnia|w dniu|в|on behalf|nel giorno|in data|il giorno|a las|de|van|from|von|da|в письме)\b|\d{1,4}[./年-]|(?:mo|di|mi|do|fr|sa|so|lun|mar|mer|mié|jue|jeu|gio|ven|vie|sáb|sab|sam|dom|dim|seg|ter|qua|qui|sex|ma|wo|vr|za|zo|pon|pt|śr|czw|sob|niedz|пн|вт|ср|чт|пт|сб|вс|mon|tue|wed|thu|fri|sat|sun)[a-zé.]{0,9},?\s)",
    re.IGNORECASE,
)
_DATED = re.compile(r"\d{1,2}[:.h]\d{2}|\b(?:19|20)\d{2}\b|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{1,2}月\d{1,2}日|@")
_NAMED = re.compile(r".{1,120}<[^<>\s]{3,120}@[^<>\s]{3,120}>.{0,60}")

_ORIGINAL = re.compile(
    r"[\s*>]*[-_—=]{2,}\s*(?:original (?:message|appointment)|original-nachricht|ursprüngliche (?:nachricht|e-mail)|originalnachricht|messaggio originale|message d[’']origine|message original|mensaje original|mensagem original|oorspronkelijk bericht|origineel bericht|wiadomość oryginalna|oryginalna wiadomość|исходное сообщение|原始邮件|原始郵件|邮件原件|元のメッセージ|original email)\s*[-_—=]{2,}\s*\Z",
    re.IGNORECASE,
)
_PROTON = re.compile(r"\s*-{5,}\s*(?:original message|reply)\s*-{5,}\s*\Z", re.IGNORECASE)
_RULE = re.compile(r"\s*(?:_{10,}|-{20,}|—{10,})\s*\Z")
OWN_MARK = re.compile(r"[\s>]*##-\s?.{5,120}\s?-##\s*\Z")  # our line "please answer above this line"

_FORWARDED = re.compile(
    r"[\s*]*(?:[-_—]{2,}\s*(?:forwarded (?:message|by .{1,80})|weitergeleitete nachricht|messaggio inoltrato|message transféré|message transmis|mensaje reenviado|mensagem (?:encaminhada|reencaminhada)|doorgestuurd bericht|przekazana wiadomość|wiadomość przekazana|пересылаемое сообщение|пересланное сообщение|转发的邮件|已转发邮件|轉寄的郵件|転送メッセージ|forwarded message)\s*[-_—]{2,}"
    r"|(?:begin forwarded message|anfang der weitergeleiteten nachricht|inizio messaggio inoltrato|début du message (?:transféré|réexpédié)|inicio del mensaje reenviado|início da mensagem (?:reencaminhada|encaminhada)|begin doorgestuurd bericht|początek przekazywanej wiadomości|начало переадресованного (?:письма|сообщения)|开始转发的邮件|轉寄的郵件|転送されたメッセージ)\s?[:：])\s*\Z",
    re.IGNORECASE,
)

_FROM = r"from|von|da|de|di|van|od|от|发件人|寄件者|寄件人|差出人|送信者|mittente|expéditeur|remitente|remetente|absender|afzender|nadawca|отправитель"
_OTHERS = (
    r"sent|date|gesendet|datum|inviato|data|envoyé|date d[’']envoi|enviado(?: el| em)?|fecha|verzonden|wysłano|дата|отправлено|发送时间|發送時間|日期|时间|送信日時|日時|日付"
    r"|to|an|a|à|para|aan|do|кому|收件人|宛先|subject|betreff|oggetto|objet|asunto|assunto|onderwerp|temat|тема|主题|主旨|件名|cc|kopie|copia|copie|dw|копия|抄送|副本|reply-to|antwort an"
)
_FROM_LINE = re.compile(rf"[\s*>]{{0,8}}(?:{_FROM})\*?\s?[:：]\*?\s*\S", re.IGNORECASE)
_OTHER_LINE = re.compile(rf"[\s*>]{{0,8}}(?:{_OTHERS})\*?\s?[:：]", re.IGNORECASE)

_MOBILE = re.compile(
    r"\s*(?:sent (?:from|with|via|using) (?:my |the |an? |mobile)?.{2,60}|get outlook for .{2,30}|sent from (?:mail|yahoo mail).{0,40}"
    r"|inviato (?:da|dal|con|tramite) .{2,60}|scarica outlook per .{2,30}|ottieni outlook per .{2,30}"
    r"|von (?:meinem|unterwegs|meiner).{2,60}(?:gesendet)?|gesendet (?:von|mit|über) .{2,60}|holen sie sich outlook für .{2,30}|diese nachricht wurde von mein.{2,60}"
    r"|envoyé (?:de(?:puis)?|à partir de|avec) .{2,60}|télécharge[rz] outlook pour .{2,30}|obtenir outlook pour .{2,30}"
    r"|enviado (?:desde|do|a partir do|de|con|com|pelo) .{2,60}|obtener outlook para .{2,30}|obter o outlook para .{2,30}"
    r"|verstuurd vanaf .{2,60}|verzonden (?:met|vanaf) .{2,60}|outlook voor .{2,30} downloaden|download outlook voor .{2,30}"
    r"|wysłane? (?:z|za pomocą|przy użyciu) .{2,60}|pobierz outlook dla .{2,30}|отправлено (?:с|из) .{2,60}|скачать outlook для .{2,30}"
    r"|发自我的.{1,40}|從我的.{1,40}傳送|发送自.{1,40}|获取 ?outlook for .{2,30}|.{1,40}から送信|outlook for .{2,20} を入手)[.!。]?\s*\Z",
    re.IGNORECASE,
)

# The writer says that the answers stand among the quoted lines of a client that marks none.
INLINE = re.compile(
    r"(?:see|answers?|replies|comments?|my notes?) (?:my (?:answers|comments|replies) )?(?:are )?(?:below|inline|in line|in red|in blue)|inline (?:below|answers?)|siehe unten|antworten? (?:unten|im text|in rot)|in rot\b|weiter unten"
    r"|vedi (?:sotto|in rosso)|(?:rispost[ae]|rispondo) (?:sotto|in rosso|nel testo|di seguito)|qui sotto|voir (?:ci-dessous|en rouge)|réponses? (?:ci-dessous|dans le texte|en rouge)|ver abajo|(?:respuestas?|respondo) (?:abajo|en rojo|en el texto)"
    r"|(?:veja|ver|respostas?|respondo) (?:abaixo|em vermelho)|zie (?:hieronder|onder|rood)|antwoorden hieronder|patrz poniżej|odpowiedzi (?:poniżej|w tekście)|см\.? ниже|ответы ниже|见下文|見下文|以下に回答|下記に回答",
    re.IGNORECASE,
)


def may_tell(line: str) -> bool:
    """Whether a line can be any of the marks below: they all have a colon, a rule or our own mark. Saves their cost."""
    if line.startswith(">"):
        return False
    return (
        ":" in line or "--" in line or "__" in line or "：" in line or "\ue000" in line or "—" in line or "==" in line
    )


def is_original_mark(line: str) -> bool:
    """A rule with words such as `-----Original Message-----`."""
    return bool(_ORIGINAL.match(line) or _PROTON.match(line))


def is_forward_mark(line: str) -> bool:
    """The line that stands before a mail that was passed on."""
    return bool(_FORWARDED.match(line))


def is_rule(line: str) -> bool:
    """A line of underscores or dashes, as Outlook draws it."""
    return bool(_RULE.match(line))


def is_mobile_footer(line: str) -> bool:
    """`Sent from my …` and its like."""
    return bool(_MOBILE.match(line))


def ends_attribution(line: str) -> bool:
    """Whether the line could be the last one of "On … wrote:"."""
    return line.rstrip().endswith((":", "：")) and bool(_END.search(line) or _END_EAST.search(line))


def is_attribution(text: str) -> bool:
    """Whether one to four lines, joined, are an attribution: a beginning, a date or address, an end."""
    if not ends_attribution(text):
        return False
    return bool(_DATED.search(text)) and bool(_BEGIN.match(text) or _NAMED.match(text) or _END_EAST.search(text))


def begins_attribution(line: str) -> bool:
    """Whether the line could be the first one of "On … wrote:"."""
    return bool(_BEGIN.match(line))


def is_bare_attribution(line: str) -> bool:
    """`2026年3月12日(木) 9:15 Negozio <care@shop.example>:` and `Name <address>:` before a quoted line."""
    text = line.rstrip()
    return text.endswith((":", "：")) and bool(_NAMED.match(text)) and bool(_DATED.search(text))


def header_block(lines: list[str], at: int) -> int:
    """How many lines from `at` are a quoted header block (`From:` and at least two more fields); 0 when it is none."""
    if not _FROM_LINE.match(lines[at]):
        return 0
    fields = 1
    last = at
    for offset in range(1, 12):
        if at + offset >= len(lines):
            break
        line = lines[at + offset]
        if _OTHER_LINE.match(line) or _FROM_LINE.match(line):
            fields += 1
            last = at + offset
        elif (not line.strip() and (fields >= 3 or offset - (last - at) > 1)) or offset - (last - at) > 2:
            break
    return last - at + 1 if fields >= 3 else 0
