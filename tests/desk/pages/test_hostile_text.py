"""The whole corpus through what makes customers' words HTML: it stays text, and nothing in it turns or hides the rest."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from services.desk.pages.prose import plain, prose
from services.desk.pages.search import marked
from tests.payloads import corpus, lines

SINK = "http://127.0.0.1:5000"
TURNED = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]")
OURS = {"p": {"dir"}, "br": set(), "ul": {"dir"}, "li": set(), "mark": set(), "a": {"href", "rel", "target", "title"}}


class Reader(HTMLParser):
    """Collects what is not our own markup, and the text a reader sees."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.foreign: list[str] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name not in OURS.get(tag, set()) or (
                name == "href" and not str(value).startswith(("http://", "https://"))
            ):
                self.foreign.append(f"{tag} {name}={value}")
            self.text += str(value) if name == "title" else ""
        if tag not in OURS:
            self.foreign.append(tag)

    def handle_comment(self, data: str) -> None:
        self.foreign.append(f"<!--{data}")

    def handle_decl(self, decl: str) -> None:
        self.foreign.append(f"<!{decl}")

    def unknown_decl(self, data: str) -> None:
        self.foreign.append(f"<![{data}")

    def handle_pi(self, data: str) -> None:
        self.foreign.append(f"<?{data}")

    def handle_data(self, data: str) -> None:
        self.text += data


def test_there_are_hundreds_of_payloads() -> None:
    assert len(corpus(SINK)) > 600
    assert len(lines(SINK)) > 600


def as_prose(text: str) -> str:
    return str(prose(text, ["alert", "<img", "hit"]))


def as_snippet(text: str) -> str:
    return str(marked(f"{text} <mark>{text}</mark>"))


@pytest.mark.parametrize("shown_as", [as_prose, as_snippet])
def test_every_payload_stays_text(shown_as: Callable[[str], str]) -> None:
    for one in (*lines(SINK), *corpus(SINK)):
        found = Reader(shown_as(one.markup))

        assert found.foreign == [], one
        assert not TURNED.search(found.text), one


def test_no_payload_in_a_name_turns_hides_or_breaks_the_line() -> None:
    for one in lines(SINK):
        shown = plain(one.markup)

        assert not TURNED.search(shown), one
        assert shown.isprintable(), one
