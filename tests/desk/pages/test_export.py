"""All hits as a table: for who may, cut with a word, harmless to a spreadsheet, in the audit log."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ascolto.search.v1.service_pb2 import FindResponse, Hit
from services.desk.pages import build_pages, export
from services.kit.errors import Unavailable
from tests.desk import fakes
from tests.desk.browser import Browser


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[fakes.Rig]:
    with fakes.a_rig(tmp_path, pages=build_pages) as made:
        yield made


def _signed_in(rig: fakes.Rig, browser: Browser, role: str) -> Browser:
    password = rig.password("eva@example.com", role, name="Eva")
    user = rig.desk.people.find_by_email("eva@example.com")
    rig.desk.people.change_password(user, old=password, new="a good long password")
    assert (
        browser.post("/login", data={"email": "eva@example.com", "password": "a good long password"}).status_code == 303
    )
    return browser


def _pages(rig: fakes.Rig, monkeypatch: pytest.MonkeyPatch, *pages: FindResponse | Exception) -> list[dict[str, Any]]:
    asked: list[dict[str, Any]] = []

    def find(_person: Any, query: str, **more: Any) -> FindResponse:
        asked.append({"query": query, **more})
        page = pages[len(asked) - 1]
        if isinstance(page, Exception):
            raise page
        return page

    monkeypatch.setattr(rig.desk.clients.search, "find", find)
    return asked


def _rows(text: str) -> list[list[str]]:
    assert text.startswith("\ufeff")
    return list(csv.reader(text[1:].splitlines()))


def test_every_hit_is_a_row_and_nothing_is_a_formula(rig: fakes.Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    hits = [
        Hit(kind="message", number=7, title="=1+1", author="@ada", snippet_html="il <mark>pacco</mark> &amp; io"),
        Hit(kind="customer", title=" -2", author="+39 055"),
    ]
    first = FindResponse(hits=hits, total=3, next="c2")
    asked = _pages(rig, monkeypatch, first, FindResponse(hits=[Hit(kind="note", title='fine, "so"')], total=3))
    with Browser(rig.web) as browser:
        answer = _signed_in(rig, browser, "supervisor").get("/search/export?q=pacco&f=channel:email")

    head, *rows = _rows(answer.text)
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    assert len(head) == 8
    assert [row[5] for row in rows] == ["'=1+1", "'-2", 'fine, "so"']
    assert [row[3] for row in rows] == ["'@ada", "'+39 055", ""]
    assert rows[0][6] == "il pacco & io"
    assert [one.get("after") for one in asked] == [None, "c2"]
    assert asked[0]["filters"] == [("channel", "email")]
    [noted] = [one for one in rig.desk.people.audit(object_id="search") if one.act == "exported"]
    assert "pacco" in noted.detail


def test_what_is_not_all_says_so_in_its_last_line(rig: fakes.Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "MOST", 2)
    many = FindResponse(hits=[Hit(kind="note", title=str(n)) for n in range(3)], total=9, next="c2")
    broken = FindResponse(hits=[Hit(kind="note", title="1")], total=9, next="c2")
    _pages(rig, monkeypatch, many, broken, Unavailable("The index is away."))
    with Browser(rig.web) as browser:
        _signed_in(rig, browser, "supervisor")
        cut, ended = (_rows(browser.get("/search/export?q=x").text) for _ in range(2))

    assert [row[5] for row in cut[1:-1]] == ["0", "1"]
    assert "2" in cut[-1][0]
    assert "The index is away." in ended[-1][0]


def test_nothing_leaves_without_the_right_a_query_or_the_index(rig: fakes.Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    with Browser(rig.web) as browser:
        _signed_in(rig, browser, "agent")
        assert browser.get("/search/export?q=x").status_code == 403
        assert "/search/export" not in browser.get("/search?q=parcel").text
    _pages(rig, monkeypatch, FindResponse(degraded=True))
    with Browser(rig.web) as browser:
        password = rig.password("sara@example.com", "supervisor", name="Sara")
        user = rig.desk.people.find_by_email("sara@example.com")
        rig.desk.people.change_password(user, old=password, new="a good long password")
        browser.post("/login", data={"email": "sara@example.com", "password": "a good long password"})
        assert browser.get("/search/export?q=").status_code == 422
        assert browser.get("/search/export?q=x").status_code == 503
    assert [one for one in rig.desk.people.audit(object_id="search") if one.act == "exported"] == []


def test_who_may_is_offered_it(rig: fakes.Rig) -> None:
    with Browser(rig.web) as browser:
        assert "/search/export?q=parcel" in _signed_in(rig, browser, "supervisor").get("/search?q=parcel").text
