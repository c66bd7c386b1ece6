"""The one sentence of an alert reads the same in a notice as on the page of who has that language and clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.desk.i18n import Tongue
from services.desk.pages import listening
from services.social import telling, wire
from services.social.store.alerts import Alert
from services.social.store.rows import micros

NOW = datetime(2026, 3, 12, 14, 10, tzinfo=UTC)
ALERT = Alert(
    id="alr_1", number=318, watch_id="wat_1", watch_name="Consegne  e\ncorrieri", brand_id="brd_1", source="x", tone=1, count=1_240,
    usual=0.25, usual_high=1_234.06, bin_minutes=60, terms=("Zefirpost", "in ritardo", "mai"), raised_us=micros(NOW), began_us=micros(NOW),
    updated_us=micros(NOW),
)  # fmt: skip


@pytest.mark.parametrize("language", ["it", "en"])
@pytest.mark.parametrize("zone", ["Europe/Rome", "America/Sao_Paulo", "Pacific/Kiritimati"])
@pytest.mark.parametrize("hours", [0, 13, 30, 200, 4_300, 9_000])  # today, yesterday, this year, before
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"count": 1},
        {"terms": ("ritardo",)},
        {"terms": ()},
        {"tone": 0},
        {"tone": 0, "count": 1, "bin_minutes": 0},
        {"ended_us": micros(NOW + timedelta(minutes=40))},
    ],
)
def test_the_sentence_of_a_notice_is_the_pages(language, zone, hours, changes):
    began = micros(NOW - timedelta(hours=hours))
    alert = replace(ALERT, began_us=began, raised_us=began, **changes)

    told = telling.sentence(alert, telling.Voice(language, ZoneInfo(zone)), NOW)

    assert told == listening.sentence(Tongue(language, ZoneInfo(zone), NOW), wire.alert(alert))


@pytest.mark.parametrize("language", ["it", "en"])
def test_the_severity_of_a_notice_is_the_pages_word(language):
    tongue, voice = Tongue(language, ZoneInfo("UTC"), NOW), telling.Voice(language)

    for severity in ("notice", "serious", "crisis"):
        assert voice.words[severity] == tongue.word("severity", severity).lower()
