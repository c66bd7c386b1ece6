"""Templates and texts: nothing unescaped, nothing inline, no message without its translation, every form with its token."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.desk import i18n, render
from services.desk.pages.catalogs import template
from services.desk.pages.prose import plain, prose
from tests.desk.pages.draw import DRAWN
from tests.desk.pages.samples import tongue

TEMPLATES = sorted((Path(render.__file__).parent / "templates").glob("*.html"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_escapes_everything_and_runs_nothing_inline(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert re.findall(r"\|\s*safe\b|autoescape|Markup", text) == []
    assert re.findall(r"\son[a-z]+\s*=|javascript:|\sstyle\s*=|hx-on", text) == []
    assert re.findall(r"<script(?![^>]*\ssrc=)|<style(?! nonce=)", text) == []
    assert text.count("\n") <= 400


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_form_that_changes_something_carries_the_token(path: Path) -> None:
    forms = re.findall(r'<form[^>]*method="post".*?</form>', path.read_text(encoding="utf-8"), flags=re.DOTALL)

    assert [form[:90] for form in forms if "csrf" not in form] == []


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_no_message_is_without_its_translation(language: str) -> None:
    known = i18n.catalog(language)
    missing = []
    for message in template():
        if not message.id or (language == "en" and not message.context):
            continue
        if message.context:
            found = known.pgettext(message.context, message.id) if message.id else ""
            if (message.context + "\x04" + message.id) not in known._catalog:
                missing.append((message.context, message.id, found))
        elif isinstance(message.id, tuple):
            if (message.id[0], 0) not in known._catalog:
                missing.append(message.id)
        elif message.id not in known._catalog:
            missing.append(message.id)

    assert missing == []


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_translations_keep_the_names_of_their_message(language: str) -> None:
    names = re.compile(r"%\([a-z_]+\)s|\{\}")
    wrong = [
        (key, value)
        for key, value in i18n.catalog(language)._catalog.items()
        if isinstance(key, str) and key and set(names.findall(key)) != set(names.findall(value))
    ]

    assert wrong == []


def test_the_pseudo_locale_dresses_every_text_and_no_name() -> None:
    page = DRAWN["inbox"]("xx")

    assert "Prendi la prossima" not in page
    assert "[Tàké ñéxt" in page
    assert "Marta Quercioli" in page


def test_dates_and_numbers_follow_the_language() -> None:
    italian, english = tongue("it"), tongue("en")
    now = italian.now

    assert italian.number(1240.5) == "1.240,5"
    assert english.number(1240.5) == "1,240.5"
    assert italian.when(now - timedelta(days=1)) == "ieri 15:14"
    assert english.when(datetime(2025, 11, 3, 9, 0, tzinfo=UTC)) == "3 Nov 2025 10:00"
    assert italian.duration(5640) == "1 h 34 min"
    assert italian.count("%(num)s message", "%(num)s messages", 1) == "1 messaggio"
    assert italian.count("%(num)s message", "%(num)s messages", 2) == "2 messaggi"


def test_customers_words_become_inert_paragraphs_and_links() -> None:
    made = str(prose('Hi <b>&\n\n- one\n- two\n\nsee https://a.example/x?y=1&z="2". Bye', ["one"]))

    assert "<b>" not in made
    assert '<ul dir="auto"><li><mark>one</mark></li><li>two</li></ul>' in made
    assert 'href="https://a.example/x?y=1&amp;z="' in made
    assert 'rel="noopener noreferrer nofollow"' in made
    assert "javascript:" not in str(prose("javascript:alert(1)")).replace("javascript:alert(1)", "")


def test_a_name_in_a_list_cannot_turn_what_stands_beside_it() -> None:
    assert plain("abc\u202egnp.exe\u200b\r\nBcc: x") == "abcgnp.exe Bcc: x"
