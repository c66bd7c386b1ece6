"""Mentions and alerts as their pages show them: posts, the sentence, the chart, the why."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.desk.clients.base import moment
from services.desk.clients.messages import Alert, AlertDetail
from services.desk.clients.messages import Mention as Wire
from services.desk.clients.tickets import TONES
from services.desk.i18n import Tongue
from services.desk.pages import words
from services.desk.pages.listening_views import Bar, Chart, ChartMark, Line, Mention, Share, spark
from services.desk.pages.prose import plain

_TOP, _BASE = 44.0, 220.0  # points: where the highest bar may begin and where all stand
_LEFT, _WIDTH = 3.2, 96.4  # percent: the plot beside its scale
_SOURCE = re.compile(r"\bsource:(\w+)")
_RUNNING = ("raised", "claimed", "assigned", "muted", "escalated")


def mention(tongue: Tongue, one: Wire, *, tag: str = "") -> Mention:
    """A post as seen."""
    tone = TONES.get(one.tone, "")
    handle = _called(plain(one.author_handle, 60), one.source)
    name = plain(one.author_name, 60)
    return Mention(
        id=one.id,
        rev=one.rev,
        icon="feed" if one.title else "post",
        source=tongue.word("channel", one.source),
        author=name or handle or tongue.text("Unknown"),
        handle=handle if name and handle != name else "",
        followers=one.followers,
        at=moment(one, "occurred_at") or tongue.now,
        text=one.text,
        language=one.language,
        tone=tone,
        tone_label=tongue.word("tone", tone),
        confidence=one.confidence,
        matched=list(one.matched),
        reposts=one.reposts,
        reach=one.reach,
        state=one.state or "new",
        state_label="" if one.state in ("", "new") else tongue.word("mention state", one.state),
        url=one.url if one.url.startswith(("https://", "http://")) else "",
        ticket=one.ticket_id,
        alerts=list(one.alert_ids)[:3],
        can_reply=one.can_reply,
        removed_at=moment(one, "removed_at"),
        removed=one.removed,
        tag=tag,
        corrected=one.tone_corrected,
        title=plain(one.title, 200),
    )


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An alert in words. `version` orders what arrives live, `seen` is what an act on it passes back."""

    id: str
    number: int
    version: int
    seen: int
    count: int
    sentence: str
    more: str
    severity: str
    severity_kind: str
    state: str
    state_kind: str
    age: str
    owner: str
    claimable: bool
    answerable: bool
    running: bool
    muted: bool
    escalated: bool
    over: bool  # its episode
    parent: str = ""  # the crisis it is folded under: id and number
    parent_number: int = 0
    children: Sequence[AlertLine] = ()
    spark: Sequence[Bar] = ()  # posts an hour in the last day
    pace: str = ""  # the same in words


def alert(
    tongue: Tongue,
    one: Alert,
    name: Callable[[str], str],
    *,
    can_reply: bool = True,
    parent: Alert | None = None,
    children: Sequence[Alert] = (),
    per_hour: Sequence[int] = (),
) -> AlertLine:
    """The sentence and what stands around it; the same everywhere."""
    raised = moment(one, "raised_at") or tongue.now
    muted = moment(one, "muted_until")
    state = tongue.word("alert state", one.state)
    if one.state == "muted" and muted:
        state = tongue.text("muted until %(time)s", time=tongue.when(muted))
    elif one.state == "muted":
        state = tongue.text("muted to the end of its episode")
    return AlertLine(
        id=one.id,
        number=one.number,
        version=one.rev or one.version,
        seen=one.version,
        count=one.count,
        sentence=sentence(tongue, one),
        more=_more(tongue, one),
        severity=tongue.word("severity", one.severity),
        severity_kind=words.SEVERITY_KINDS.get(one.severity, "info"),
        state=state,
        state_kind=words.ALERT_KINDS.get(one.state, ""),
        age=tongue.text("raised %(time)s", time=tongue.ago(raised)),
        owner=name(one.owner) if one.owner else "",
        claimable=one.state in ("raised", "escalated") or not one.owner,
        answerable=can_reply,
        running=one.state in _RUNNING,
        muted=one.state == "muted",
        escalated=one.state == "escalated",
        over=one.HasField("ended_at"),
        parent=parent.id if parent else "",
        parent_number=parent.number if parent else 0,
        children=[alert(tongue, child, name) for child in children],
        spark=spark(per_hour) if per_hour else (),
        pace=tongue.text("%(day)s in 24 hours, %(hour)s in the last", day=sum(per_hour), hour=per_hour[-1])
        if per_hour
        else "",
    )


def sentence(tongue: Tongue, one: Alert) -> str:
    """How many, about what, when, against what is usual."""
    terms = [tongue.text("“%(term)s”", term=plain(term, 40)) for term in one.terms[:2] or [one.watch_name]]
    about = tongue.text("%(a)s and %(b)s", a=terms[0], b=terms[1]) if len(terms) > 1 else terms[0]
    began = moment(one, "began_at") or moment(one, "raised_at") or tongue.now
    ended = moment(one, "ended_at") or moment(one, "updated_at") or tongue.now
    tone = TONES.get(one.tone, "")
    number = one.negative_count if tone == "negative" and one.negative_count else one.count
    if tone == "negative":
        what = tongue.count("%(num)s negative mention", "%(num)s negative mentions", number)
    else:
        what = tongue.count("%(num)s mention", "%(num)s mentions", number)
    return tongue.text(
        "%(what)s about %(about)s between %(begin)s and %(end)s; usual is %(usual)s in %(minutes)s min, rarely over %(high)s.",
        what=what, about=about, begin=tongue.when(began), end=tongue.clock(ended),
        usual=tongue.number(round(one.usual, 1)), minutes=one.bin_minutes or 5, high=tongue.number(round(one.usual_high, 1)),
    )  # fmt: skip


def _more(tongue: Tongue, one: Alert) -> str:
    parts = []
    if one.sources:
        names = ", ".join(tongue.word("channel", source) for source in one.sources[:3])
        parts.append(tongue.text("Mostly %(sources)s.", sources=names))
    if one.reach:
        parts.append(tongue.text("Reach %(reach)s.", reach=tongue.compact(one.reach)))
    if one.state in ("resolved", "false_alarm") and one.cause:
        cause = tongue.word("verdict", one.cause) if one.state == "false_alarm" else plain(one.cause, 120)
        parts.append(tongue.text("Verdict: %(cause)s.", cause=cause))
    if one.mute_reason and one.state == "muted":
        parts.append(tongue.text("Muted because: %(why)s.", why=plain(one.mute_reason, 120)))
    return " ".join(parts)


def chart(tongue: Tongue, detail: AlertDetail) -> Chart:
    """Bars per bin from the base line, what is expected and usual, the episode, its marks, and the numbers."""
    one, bins = detail.alert, detail.bins
    minutes = one.bin_minutes or 5
    title = tongue.text(
        "Mentions every %(n)s minutes, %(day)s, %(zone)s", n=minutes, day=tongue.day(moment(one, "began_at") or tongue.now),
        zone=str(tongue.zone),
    )  # fmt: skip
    times = [moment(bin_, "at") or tongue.now for bin_ in bins]
    if not times:
        return Chart((), (), (), (), (), (), None, (), (), title)
    top = _nice(max([1.0, *(float(b.negative + b.neutral + b.positive) for b in bins), *(b.high for b in bins)]))
    step = _WIDTH / len(bins)
    begin, end = times[0], times[-1] + timedelta(minutes=minutes)

    def across(at: datetime) -> float:
        share = (at - begin).total_seconds() / max(1.0, (end - begin).total_seconds())
        return round(_LEFT + _WIDTH * min(1.0, max(0.0, share)), 2)

    def up(value: float) -> float:
        return round(_BASE - (_BASE - _TOP) * value / top, 2)

    bars: list[Bar] = []
    gaps: list[Bar] = []
    usual: list[Bar] = []
    expected: list[tuple[float, float, float, float]] = []
    for place, bin_ in enumerate(bins):
        x = round(_LEFT + place * step, 2)
        if bin_.missing:
            gaps.append(Bar("gap", x, round(step, 2), 36, 184))
            continue
        usual.append(Bar("usual", x, round(step, 2), up(bin_.high), round(_BASE - up(bin_.high), 2)))
        if expected and expected[-1][2] == x and expected[-1][1] == up(bin_.expected):
            expected[-1] = (expected[-1][0], expected[-1][1], round(x + step, 2), up(bin_.expected))
        else:
            expected.append((x, up(bin_.expected), round(x + step, 2), up(bin_.expected)))
        done = 0
        for kind, count in (("neg", bin_.negative), ("neu", bin_.neutral), ("pos", bin_.positive)):
            if count:
                low, high = up(done), up(done + count)
                cls = f"{kind} now" if bin_.open and kind == "neg" else kind
                bars.append(
                    Bar(
                        cls,
                        round(x + step * 0.14, 2),
                        round(step * 0.72, 2),
                        high,
                        round(max(1.0, low - high - 0.75), 2),
                    )
                )
                done += count
    began, ended = moment(one, "began_at"), moment(one, "ended_at") or moment(one, "updated_at") or end
    episode = None
    if began:
        left, right = across(began), across(ended)
        episode = Bar("episode", left, round(max(step, right - left), 2), 36, 184)
    grid = [Line(up(top * part / 3), tongue.number(round(top * part / 3))) for part in range(4)]
    inside = [
        b for b, at in zip(bins, times, strict=True) if began and began - timedelta(minutes=minutes) < at <= ended
    ]
    table = [(tongue.clock(moment(b, "at") or tongue.now), b.negative, b.neutral, b.positive) for b in inside]
    return Chart(bars, grid, _hours(tongue, times, across, minutes), expected, usual, gaps, episode,
                 _marks(tongue, detail, across, begin, end), table, title)  # fmt: skip


def _nice(value: float) -> float:
    """The next number that three gridlines divide well."""
    for top in (3, 6, 9, 12, 15, 18, 24, 30, 45, 60, 75, 90, 120, 150, 180, 240, 300, 450, 600, 900, 1200, 1500, 3000):
        if value <= top:
            return float(top)
    return value


def _hours(tongue: Tongue, times: Sequence[datetime], across: Callable[[datetime], float], minutes: int) -> list[Line]:
    span = (times[-1] - times[0]).total_seconds() / 60 + minutes
    every = next((n for n in (10, 30, 60, 120, 360, 720, 1440) if span / n <= 6), 2880)
    found = []
    for at in times:
        local = tongue.local(at)
        if (local.hour * 60 + local.minute) % every < minutes and 4 < across(at) < 97:
            found.append(Line(across(at), tongue.clock(at)))
    return found[:8]


def _marks(
    tongue: Tongue, detail: AlertDetail, across: Callable[[datetime], float], begin: datetime, end: datetime
) -> list[ChartMark]:
    """Numbered moments; two that would touch stand on two levels, at 360 pixels too."""
    made: list[ChartMark] = []
    last = [-100.0, -100.0, -100.0]
    for step in detail.timeline:
        at = moment(step, "at")
        if at is None or not begin <= at <= end or len(made) >= 6:
            continue
        x = across(at)
        level = next((n for n in range(3) if x - last[n] >= 6.0), None)
        if level is None:
            continue
        last[level] = x
        text = f"{tongue.clock(at)} {tongue.word('act', step.act)}"
        made.append(ChartMark(len(made) + 1, x, 10 + 18.0 * level, text))
    return made


def shares(tongue: Tongue, detail: AlertDetail) -> list[tuple[str, str, str, list[Share]]]:  # title, two heads, lines
    """Terms with their lift, sources, authors by reach; each leads to its posts."""
    one = detail.alert
    most = max((term.count for term in detail.terms), default=1)
    base = f"/mentions?alert={one.id}"
    terms = [
        Share(
            plain(t.term, 40),
            t.count,
            f"× {tongue.number(round(t.lift, 1))}",
            round(100 * t.count / most),
            f"{base}&term={t.term}",
        )
        for t in detail.terms[:6]
    ]
    most = max((s.count for s in detail.sources), default=1)
    sources = [
        Share(
            tongue.word("channel", s.term),
            s.count,
            f"× {tongue.number(round(s.lift, 1))}" if s.lift else "",
            round(100 * s.count / most),
            f"{base}&source={s.term}",
        )
        for s in detail.sources[:6]
    ]
    authors = [
        Share(
            _called(plain(a.handle, 40), one.source),
            a.count,
            tongue.compact(a.followers),
            0,
            f"{base}&author={a.handle}",
        )
        for a in detail.authors[:6]
    ]
    posts, usual = tongue.text("posts"), tongue.text("over usual")
    return [
        (tongue.text("Words"), posts, usual, terms),
        (tongue.text("Sources"), posts, usual, sources),
        (tongue.text("Authors"), posts, tongue.text("followers"), authors),
    ]


def _called(handle: str, source: str) -> str:
    """A handle as people write it; the author of a feed is a name."""
    return handle if not handle or handle.startswith("@") or source == "rss" else f"@{handle}"


def _series(tongue: Tongue, one: Alert) -> str:
    """What was counted."""
    what = tongue.text("negative posts") if TONES.get(one.tone) == "negative" else tongue.text("posts of every tone")
    source = tongue.text("all sources") if one.source == "*" else tongue.word("channel", one.source)
    return f"{source}: {what}"


def _in_words(tongue: Tongue, query: str) -> str:
    """A query with its sources by the names people know."""
    return _SOURCE.sub(
        lambda found: tongue.text("everything from “%(source)s”", source=tongue.word("channel", found[1])), query
    )


def why(tongue: Tongue, detail: AlertDetail) -> list[tuple[str, str]]:
    """Watch, query, series, threshold and how far above it: for every reader of the alert."""
    one = detail.alert
    found = [
        (tongue.text("Watch"), plain(one.watch_name, 100)),
        (tongue.text("Query"), _in_words(tongue, detail.query)),
        (tongue.text("Series"), _series(tongue, one)),
    ]
    if detail.threshold:
        now = tongue.text(
            "%(limit)s; now %(peak)s",
            limit=tongue.number(round(detail.threshold, 1)),
            peak=tongue.number(round(one.peak, 1)),
        )
        found.append((tongue.text("Threshold"), now))
    found += [
        (tongue.text("How it came about"), tongue.word("threshold", detail.threshold_reason)),
        (tongue.text("Nearly fired"), detail.nearest),
    ]
    return [(name, value) for name, value in found if value]


@dataclass(frozen=True, slots=True)
class Step:
    """One moment of the timeline."""

    at: str
    text: str
    kind: str


def timeline(tongue: Tongue, detail: AlertDetail, name: Callable[[str], str]) -> list[Step]:
    """What happened and who did what."""
    done = ("claim", "claimed", "answered", "resolve", "resolved")
    found = []
    for step in detail.timeline:
        at = moment(step, "at")
        by = f", {name(step.by)}" if step.by and not step.by.startswith("svc_") else ""
        said = _said(tongue, step.act, step.detail, name)
        detail_text = f": {said}" if said else ""
        kind = "done" if step.act in done else "bad" if step.act in ("first", "raised", "escalate", "escalated") else ""
        found.append(Step(tongue.when(at) if at else "", f"{tongue.word('act', step.act)}{by}{detail_text}", kind))
    return found


def _said(tongue: Tongue, act: str, detail: str, name: Callable[[str], str]) -> str:
    """What an act of the timeline says besides its name: words and people, never an id."""
    if act in ("raised", "severity"):
        return tongue.word("severity", detail)
    if act == "false_alarm":
        return tongue.word("verdict", detail)
    if act in ("assign", "escalate"):
        return name(detail) if detail else ""
    return "" if act in ("link_ticket", "answered") else plain(detail, 160)
