"""An alert moves only as people may move it, and never under a person who saw an older one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import AscoltoError, Conflict, Invalid
from services.social.domain import alert as alerts
from services.social.domain.alert import Alert, Evidence, Severity, State, severity_of
from services.social.domain.detector import Signal

NOW = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
RAISED = Alert("alr_1", "wat_1", "brd_1", "x", "negative", NOW, NOW, NOW, usual=3, usual_high=8)


def evidence(count: int = 50, reach: int = 9) -> Evidence:
    return Evidence(count, reach, ("courier",), LATER)


def signal(kind: str = "grown", peak: float = 40.0, score: float = 9.0) -> Signal:
    return Signal(kind, 0.0, 0.0, 42.0, 3.0, 8.0, peak, score, 300.0)


ACTS: dict[str, Callable[[Alert, int], Alert]] = {
    "claim": lambda a, v: alerts.claim(a, "usr_1", version=v, at=LATER),
    "assign": lambda a, v: alerts.assign(a, "usr_2", version=v, at=LATER),
    "mute": lambda a, v: alerts.mute(a, until=LATER + timedelta(hours=1), reason="campaign", version=v, at=LATER),
    "unmute": lambda a, v: alerts.unmute(a, version=v, at=LATER),
    "escalate": lambda a, v: alerts.escalate(a, to="usr_3", version=v, at=LATER),
    "resolve": lambda a, v: alerts.resolve(a, cause="courier", version=v, at=LATER),
    "false_alarm": lambda a, v: alerts.call_false(a, kind="expected", version=v, at=LATER),
    "update": lambda a, _: alerts.update(a, evidence(), signal()),
    "end": lambda a, _: alerts.end(a, at=LATER),
    "link": lambda a, _: alerts.link_ticket(a, "tkt_1", at=LATER),
}


@pytest.mark.parametrize("act", ["claim", "assign", "mute", "escalate", "resolve", "false_alarm"])
def test_an_act_on_an_older_version_is_refused(act: str) -> None:
    with pytest.raises(Conflict, match="look again"):
        ACTS[act](RAISED, RAISED.version - 1)


@pytest.mark.parametrize("end", ["resolve", "false_alarm"])
@pytest.mark.parametrize("act", ["claim", "assign", "mute", "escalate", "resolve", "false_alarm"])
def test_a_closed_alert_stays_closed(end: str, act: str) -> None:
    closed = ACTS[end](RAISED, 1)

    with pytest.raises(Conflict, match="closed"):
        ACTS[act](closed, closed.version)
    assert alerts.update(closed, evidence(99), signal()) is closed


def test_claiming_twice_is_one_claim_and_a_colleagues_is_refused() -> None:
    claimed = ACTS["claim"](RAISED, 1)

    assert (claimed.state, claimed.owner, claimed.claimed_at, claimed.version) == (State.CLAIMED, "usr_1", LATER, 2)
    assert alerts.claim(claimed, "usr_1", version=1, at=LATER) is claimed
    with pytest.raises(Conflict, match="usr_1"):
        alerts.claim(claimed, "usr_9", version=2, at=LATER)


@pytest.mark.parametrize("until", [None, NOW])
def test_a_mute_without_an_end_in_the_future_is_refused(until: datetime | None) -> None:
    with pytest.raises(Invalid) as caught:
        alerts.mute(RAISED, until=until, reason="campaign", version=1, at=NOW)

    assert caught.value.field == "until"


def test_a_mute_ends_by_itself_and_gives_the_state_back() -> None:
    claimed = ACTS["claim"](RAISED, 1)
    muted = ACTS["mute"](claimed, 2)

    assert alerts.is_muted(muted, LATER)
    assert not alerts.is_muted(muted, LATER + timedelta(hours=2))
    assert alerts.unmute(muted, version=3, at=LATER).state is State.CLAIMED


def test_a_verdict_needs_its_cause() -> None:
    with pytest.raises(Invalid):
        alerts.resolve(RAISED, cause=" ", version=1, at=NOW)
    with pytest.raises(Invalid):
        alerts.call_false(RAISED, kind="because", version=1, at=NOW)


def test_growth_never_lowers_figures_or_severity() -> None:
    grown = alerts.update(RAISED, evidence(60, 10), signal(peak=90.0))
    calmer = alerts.end(alerts.update(grown, evidence(61, 5), signal("grown", peak=5.0, score=0.1)), at=LATER)

    assert grown.severity is Severity.CRISIS
    assert (calmer.severity, calmer.peak, calmer.reach, calmer.count) == (Severity.CRISIS, 90.0, 10, 61)
    assert calmer.ended_at == LATER
    assert alerts.update(calmer, evidence(61, 5)) is calmer
    assert alerts.end(calmer, at=LATER + timedelta(hours=1)) is calmer


def test_a_mute_ends_with_the_episode_it_silenced() -> None:
    muted = ACTS["mute"](ACTS["claim"](RAISED, 1), 2)

    over = alerts.end(muted, at=LATER)

    assert (over.state, over.muted_until, over.mute_reason, over.version) == (State.CLAIMED, None, "", 4)


@pytest.mark.parametrize(
    ("count", "peak", "reach", "severity"),
    [
        (6, 9.0, 0, Severity.NOTICE),
        (20, 30.0, 0, Severity.SERIOUS),
        (5, 5.0, 200_000, Severity.SERIOUS),
        (60, 80.0, 0, Severity.CRISIS),
        (10, 5.0, 2_000_000, Severity.CRISIS),
    ],
)
def test_severity_follows_number_height_and_reach(count: int, peak: float, reach: int, severity: Severity) -> None:
    assert severity_of(count=count, peak=peak, usual_high=8.0, reach=reach) is severity


def test_people_are_told_of_what_is_new_or_worse_and_of_a_muted_one_only_in_a_crisis() -> None:
    serious = replace(RAISED, severity=Severity.SERIOUS)
    muted = ACTS["mute"](RAISED, 1)

    assert alerts.speaks(RAISED, None, NOW)
    assert alerts.speaks(serious, RAISED, NOW)
    assert not alerts.speaks(RAISED, RAISED, NOW)
    assert not alerts.speaks(replace(muted, severity=Severity.SERIOUS), muted, LATER)
    assert alerts.speaks(replace(muted, severity=Severity.CRISIS), muted, LATER)


def test_a_ticket_is_linked_once() -> None:
    linked = alerts.link_ticket(RAISED, "tkt_1", at=LATER)

    assert alerts.link_ticket(linked, "tkt_1", at=LATER) is linked
    assert alerts.link_ticket(linked, "tkt_2", at=LATER).ticket_ids == ("tkt_1", "tkt_2")


@given(st.lists(st.sampled_from(sorted(ACTS)), max_size=12))
def test_any_row_of_acts_moves_versions_forward_and_closes_once(acts: list[str]) -> None:
    alert, closed = RAISED, 0

    for act in acts:
        before = alert
        try:
            alert = ACTS[act](alert, alert.version)
        except AscoltoError:
            continue
        assert alert is before or alert.version == before.version + 1
        closed += before.is_open and not alert.is_open
        assert before.is_open or alert.state is before.state

    assert closed <= 1
