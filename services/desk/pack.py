"""The style sheets and scripts as browsers get them: joined, in one file each, without what only readers need.

`render.Statics` calls it once at start. rjsmin and rcssmin squeeze; nothing is renamed, so an error in a browser's
console still names our functions.
"""

from __future__ import annotations

import re
from pathlib import Path

from rcssmin import cssmin
from rjsmin import jsmin

_SCRIPTS = (
    "tools",
    "palette",
    "suggest",
    "panes",
    "bell",
    "composer",
    "keys",
    "ahead",
    "live",
    "desk",
)  # each after those it imports
_RAMP = re.compile(r"--([a-z]+-\d+):(#[0-9a-f]{3,6})")  # a raw colour; rules see roles only
_USED = re.compile(r"var\(--([\w-]+)")
_OWN = re.compile(r"--([\w-]+):[^;{}]+;?")  # a property of ours, which goes out only if a rule uses it
_IMPORT = re.compile(r"^import \{ [\w$, ]+ \} from \"\./\w+\.js\";\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?function|const|let)", re.MULTILINE)
_TOP = re.compile(r"^(?:async function|function|const|let) ([\w$]+)", re.MULTILINE)  # what stands at the margin


def styles(folder: Path) -> str:
    """The sheets in the order of their names, squeezed; raw colours stand in their roles.

    rcssmin takes the blank before a colon away: a selector says `.rail *:is(a)`, never `.rail :is(a)`.
    """
    text = str(cssmin("\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.css")))))
    for name, colour in _RAMP.findall(text):
        text = text.replace(f"var(--{name})", colour)
    used = set(_USED.findall(text))
    return _OWN.sub(lambda found: found[0] if found[1] in used else "", text)


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
        parts.append(text)
    return squeeze("\n".join(parts))


def bundled(name: str) -> bool:
    """Whether the file goes out as part of another."""
    return name.startswith("css/") or (name.startswith("js/") and Path(name).stem in _SCRIPTS)


def squeeze(text: str) -> str:
    """A script without comments, indentation and spaces that mean nothing."""
    return str(jsmin(text))
