"""The corpus of hostile markup is real, and the frame of a customer's mail holds it even with no sanitiser before it."""

from __future__ import annotations

from collections import Counter

import pytest
from playwright.sync_api import Browser

from tests.browser.hostile import PARTS, Ears, Sink, sinking

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


def shown(chromium: Browser, sink: Sink, kind: str) -> Ears:
    """What every payload did, each in a frame of its own."""
    context = chromium.new_context()
    page = context.new_page()
    ears = Ears(sink.url)
    ears.listen(context, page, reports=False)
    for part in range(PARTS):
        if part == PARTS - 1:  # of one page is enough
            ears.hear_reports(context)
        page.goto(f"{sink.url}/all/{kind}/{part}", timeout=60_000)
    context.close()
    return ears


def test_undefended_the_corpus_acts_and_is_heard(chromium: Browser) -> None:
    with sinking() as sink:
        ears = shown(chromium, sink, "bare")

    acted = (sink.numbers | {int(said) for said in ears.dialogs}) & sink.payloads.keys()
    families = Counter(sink.payloads[number].family for number in acted)
    assert sum(families.values()) >= 250, families
    assert set(families) == {one.family for one in sink.payloads.values()}
    assert len(sink.payloads) >= 600


def test_the_frame_of_a_mail_holds_what_no_sanitiser_saw(chromium: Browser) -> None:
    with sinking() as sink:
        ears = shown(chromium, sink, "framed")

    assert (sink.hits, ears.dialogs, ears.opened) == ([], [], [])
    assert len(ears.refused) >= 20, "the policy is what held them"
