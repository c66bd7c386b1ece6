"""The style sheets and scripts as browsers get them: joined, in one file each, without what only readers need.

`render.Statics` calls it once at start. Nothing is renamed, so an error in a browser's console still names our functions.
"""

from __future__ import annotations

import re
from pathlib import Path

_SCRIPTS = (
    "tools",
    "palette",
    "suggest",
    "panes",
    "bell",
    "composer",
    "keys",
    "live",
    "desk",
)  # each after those it imports
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_AROUND = re.compile(r"\s*([{};])\s*| (>) | (?=!)")  # spaces there never mean anything
_AFTER = re.compile(r"([:,])\s+")  # nor after a colon or a comma
_RAMP = re.compile(r"--([a-z]+-\d+):(#[0-9a-f]{6})")  # a raw colour; rules see roles only
_USED = re.compile(r"var\(--([\w-]+)")
_OWN = re.compile(r"--([\w-]+):[^;{}]+;?")  # a property of ours, which goes out only if a rule uses it
_SHORT = re.compile(r"#([0-9a-f])\1([0-9a-f])\2([0-9a-f])\3\b")
_IMPORT = re.compile(r"^import \{ [\w$, ]+ \} from \"\./\w+\.js\";\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?function|const|let)", re.MULTILINE)
_TOP = re.compile(r"^(?:async function|function|const|let) ([\w$]+)", re.MULTILINE)  # what stands at the margin
# What must stay as written: strings, templates, and a slash that begins a regex because it follows an operator.
_QUOTED = re.compile(
    r"""("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`"""
    r"""|(?:(?<=[(,=:!&|?;{])|(?<=[(,=:!&|?;{][ ]))/(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\n\[ ])(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\n\[])*/[a-z]*)"""
)
_SPACE = re.compile(r"[ \t]*([{}();,=<>!&|?:*%\[\]])[ \t]*")  # not plus and minus: "a + +b" needs its spaces
_REMARK = re.compile(r"(?:^|(?<=[;{}]) )// .*")  # a comment alone or after the end of a statement
_CONST = re.compile(r"\bconst\b")  # the shorter word does as well
_LINE = re.compile(r"(?<=[{;,(\[])\n+|\n+(?=[})\]])")  # where no semicolon could have been meant


def styles(folder: Path) -> str:
    """The sheets in the order of their names, without comments and needless spaces; raw colours stand in their roles."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.css")))
    text = _AROUND.sub(lambda found: found[1] or found[2] or "", _COMMENT.sub("", text)).strip()
    text = _AFTER.sub(r"\1", text)
    for name, colour in _RAMP.findall(text):
        text = text.replace(f"var(--{name})", colour)
    used = set(_USED.findall(text))
    text = _OWN.sub(lambda found: found[0] if found[1] in used else "", text)
    return _SHORT.sub(r"#\1\2\3", text.replace(";}", "}"))


def scripts(folder: Path) -> str:
    """The desk's modules as one module, in one scope: one file compresses to two thirds of nine, and costs one request.

    Raises `ValueError` when two of them use one name at their top.
    """
    owner: dict[str, str] = {}
    parts = []
    for name in _SCRIPTS:
        text = _EXPORT.sub("", _IMPORT.sub("", (folder / f"{name}.js").read_text(encoding="utf-8")))
        for declared in _TOP.findall(text):
            if owner.setdefault(declared, name) != name:
                raise ValueError(
                    f"{declared} stands at the top of both {owner[declared]}.js and {name}.js; rename one."
                )
        parts.append(squeeze(text))
    return "\n".join(parts)


def bundled(name: str) -> bool:
    """Whether the file goes out as part of another."""
    return name.startswith("css/") or (name.startswith("js/") and Path(name).stem in _SCRIPTS)


def squeeze(text: str) -> str:
    """A script without comments, indentation and spaces that mean nothing."""
    lines = (_REMARK.sub("", line.strip()) for line in text.splitlines())
    text = "\n".join(filter(None, lines))
    pieces = _QUOTED.split(text)  # odd ones are quoted
    for at in range(0, len(pieces), 2):
        pieces[at] = _CONST.sub("let", _LINE.sub("", _SPACE.sub(r"\1", pieces[at])))
    return "".join(pieces)
