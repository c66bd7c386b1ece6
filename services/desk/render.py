"""Templates and static files: one Jinja environment a language, and files under an address that changes with them.

Pages give view models (`services.desk.pages.views`); nothing here calls a service. Every value is escaped.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.desk import pack
from services.desk.domain.people import PANES
from services.desk.i18n import Tongue, catalog, iso
from services.desk.pages.keys import Command, remapped
from services.desk.pages.prose import prose
from services.desk.pages.views import Shell, initials
from services.desk.tones import ALERT, BELL, tone

HERE = Path(__file__).parent
_ALONE = frozenset({"js/stream.js", "js/login.js"})  # scripts that are not part of the desk's one


@dataclass(frozen=True, slots=True)
class File:
    """One static file in memory: its bytes, small enough to be sent from there, and its media type."""

    media_type: str
    body: bytes
    packed: bytes


class Statics:
    """All files of `static/`, the style sheets joined into `desk.css`, under one hash of everything."""

    def __init__(self, folder: Path = HERE / "static") -> None:
        files: dict[str, bytes] = {}
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and not path.name.startswith(".") and not pack.bundled(name):
                files[name] = path.read_bytes()
        for name in _ALONE & files.keys():
            files[name] = pack.squeeze(files[name].decode()).encode()
        files["js/desk.js"] = pack.scripts(folder / "js").encode()
        files["desk.css"] = pack.styles(folder / "css").encode()
        files |= {"bell.wav": tone(BELL), "alert.wav": tone(ALERT)}
        digest = hashlib.sha256()
        for name, body in sorted(files.items()):
            digest.update(name.encode() + b"\0" + body)
        self.hash = digest.hexdigest()[:12]
        self._files = {name: _file(name, body) for name, body in files.items()}

    def find(self, name: str) -> File | None:
        """The file of that name, if there is one."""
        return self._files.get(name)

    def url(self, name: str) -> str:
        """Its address, which may be cached for ever."""
        return f"/static/{self.hash}/{name}"

    def sizes(self) -> Mapping[str, tuple[int, int]]:
        """Bytes of each file, plain and compressed."""
        return {name: (len(file.body), len(file.packed)) for name, file in self._files.items()}


def _file(name: str, body: bytes) -> File:
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if name.endswith(".js"):
        media_type = "text/javascript"
    if media_type.startswith("text/"):
        media_type += "; charset=utf-8"
    return File(media_type, body, gzip.compress(body, 9, mtime=0))


class Pages:
    """Renders a template for one person. Environments are kept per language; templates compile once."""

    def __init__(self, statics: Statics | None = None, folder: Path = HERE / "templates") -> None:
        self.statics = statics or Statics()
        self._folder = folder
        self._environments: dict[str, Environment] = {}

    @cached_property
    def _loader(self) -> FileSystemLoader:
        return FileSystemLoader(self._folder)

    def environment(self, language: str) -> Environment:
        """The environment of `language`, made at first use."""
        found = self._environments.get(language)
        if found is None:
            found = Environment(
                loader=self._loader,
                autoescape=True,
                undefined=StrictUndefined,
                trim_blocks=True,
                lstrip_blocks=True,
                extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
            )
            found.policies["ext.i18n.trimmed"] = True
            # The extension adds this method to the environment's class at run time.
            install = found.install_gettext_translations  # type: ignore[attr-defined]  # the extension adds it at run time
            install(catalog(language), newstyle=True)
            found.globals.update(asset=self.statics.url, iso=iso, pane_limits=PANES)
            found.filters.update(prose=prose, initials=initials)
            self._environments[language] = found
        return found

    def render(self, template: str, tongue: Tongue, /, **context: object) -> str:
        """The page's HTML."""
        return self.environment(tongue.language).get_template(template).render(tongue=tongue, **context)

    def page(self, template: str, tongue: Tongue, shell: Shell, /, **context: object) -> str:
        """A staff page with its shell, keyboard sheet and the person's rights."""
        groups: dict[str, list[Command]] = {}
        for command in remapped(shell.viewer.keys):
            groups.setdefault(command.group, []).append(command)
        return self.render(
            template,
            tongue,
            shell=shell,
            keys=list(groups.items()),
            may_write=shell.viewer.may("tickets:write"),
            **{"head": None, "context": None, "composer": None, "ticket_failure": None, "present": "", **context},
        )
