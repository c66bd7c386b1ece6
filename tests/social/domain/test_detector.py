"""A burst is heard soon, once, and little else is."""

import random
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.kit.errors import Invalid
from services.social.domain.detector import Signal, Stream

MINUTE, HOUR, DAY, WEEK = 60.0, 3600.0, 86400.0, 7 * 86400.0


def poisson(rate_an_hour: float, begin: float, end: float, dice: random.Random) -> list[float]:
    times: list[float] = []
    at = begin
    while True:
        at += dice.expovariate(rate_an_hour / HOUR)
        if at >= end:
            return times
        times.append(at)


def hear(stream: Stream, times: Iterable[float], *, until: float, teach: bool = False) -> list[Signal]:
    """Feeds posts, with the source's word every five minutes that it was heard until then."""
    signals, ticks = [], 0.0
    for at in times:
        while ticks + 300.0 <= at:
            ticks = max(ticks + 300.0, at - at % 300.0)
            signals.append(stream.advance(ticks))
        signals.append(stream.observe(at, teach=teach))
    signals.append(stream.advance(until))
    return [signal for signal in signals if signal is not None]


def taught(rate_an_hour: float, *, days: float = 14.0, seed: int = 1) -> Stream:
    stream = Stream()
    hear(stream, poisson(rate_an_hour, 0.0, days * DAY, random.Random(seed)), until=days * DAY, teach=True)
    return stream


def raised(signals: list[Signal]) -> list[Signal]:
    return [signal for signal in signals if signal.kind == "raised"]


@pytest.mark.parametrize("rate_an_hour", [0.012, 0.3, 3.0, 30.0, 120.0])
def test_a_steady_stream_is_silent_for_a_month(rate_an_hour: float) -> None:
    stream = taught(rate_an_hour)

    signals = hear(stream, poisson(rate_an_hour, 14 * DAY, 42 * DAY, random.Random(7)), until=42 * DAY)

    assert raised(signals) == []


@pytest.mark.parametrize(("rate_an_hour", "times", "within_min"), [(12.0, 20, 15), (120.0, 5, 15), (120.0, 20, 3)])
def test_a_burst_is_heard_within_minutes(rate_an_hour: float, times: int, within_min: float) -> None:
    stream = taught(rate_an_hour)
    begin = 14 * DAY + 100.0

    signals = hear(stream, poisson(rate_an_hour * times, begin, begin + HOUR, random.Random(3)), until=begin + HOUR)

    first = raised(signals)[0]
    assert first.at_s - begin <= within_min * MINUTE
    assert first.usual < first.usual_high < first.peak


def test_a_sudden_burst_is_heard_within_a_minute_in_the_middle_of_a_bin() -> None:
    stream = taught(6.0)
    begin = 14 * DAY + 130.0

    signals = hear(stream, [begin + n for n in range(40)], until=begin + 45.0)

    assert raised(signals)[0].at_s < begin + MINUTE


def test_one_episode_speaks_once_ends_once_and_counts_its_posts() -> None:
    stream = taught(6.0)
    begin = 14 * DAY

    signals = hear(stream, poisson(120.0, begin, begin + 2 * HOUR, random.Random(5)), until=begin + 12 * HOUR)

    kinds = [signal.kind for signal in signals]
    assert kinds.count("raised") == 1
    assert kinds[-1] == "ended"
    assert kinds.count("grown") <= 1
    assert signals[-1].count > 200
    assert not stream.in_episode


def test_a_clearly_larger_peak_speaks_again() -> None:
    stream = taught(6.0)
    begin = 14 * DAY
    first = poisson(100.0, begin, begin + HOUR, random.Random(5))
    second = poisson(1500.0, begin + HOUR, begin + 2 * HOUR, random.Random(6))

    signals = hear(stream, [*first, *second], until=begin + 2 * HOUR)

    assert [signal.kind for signal in signals][:2] == ["raised", "grown"]


def test_the_first_three_negative_reviews_of_a_quiet_shop_are_heard() -> None:
    stream = Stream()
    hear(stream, [], until=1.0)
    stream.advance(56 * DAY)

    signals = [stream.observe(56 * DAY + hours * HOUR, 0.9) for hours in (2, 20, 41)]

    assert signals[:2] == [None, None]
    assert signals[2] is not None
    assert signals[2].kind == "raised"
    assert signals[2].count == 3


def test_three_doubtful_posts_of_a_quiet_shop_are_not() -> None:
    stream = Stream()
    stream.advance(0.0)
    stream.advance(56 * DAY)

    assert [stream.observe(56 * DAY + hours * HOUR, 0.3) for hours in (2, 20, 41)] == [None, None, None]


def test_a_fresh_stream_hears_a_crowd_but_not_a_few() -> None:
    few, crowd = Stream(), Stream()

    assert raised(hear(few, [float(n * 20) for n in range(9)], until=200.0)) == []
    assert len(raised(hear(crowd, [float(n) for n in range(40)], until=45.0))) == 1


def test_a_young_stream_that_was_quiet_hears_a_crowd_that_comes_slowly() -> None:
    stream = Stream()
    stream.observe(100.0, 0.3)

    signals = hear(stream, [1200.0 + n * 15 for n in range(40)], until=1900.0)

    assert len(raised(signals)) == 1


def test_a_young_stream_busy_from_its_first_minute_is_no_crowd() -> None:
    signals = hear(Stream(), poisson(60.0, 0.0, DAY, random.Random(2)), until=DAY)

    assert raised(signals) == []


def test_an_import_teaches_without_a_word() -> None:
    stream = Stream()

    signals = hear(stream, [float(n) for n in range(500)], until=HOUR, teach=True)

    assert signals == []
    assert not stream.in_episode


def test_a_source_that_stops_and_returns_is_no_burst() -> None:
    stream = taught(120.0)
    silent_until = 16 * DAY

    stream.advance(silent_until)
    signals = hear(stream, poisson(120.0, silent_until, silent_until + DAY, random.Random(9)), until=silent_until + DAY)

    assert raised(signals) == []
    assert stream.usual()[0] == pytest.approx(10.0, rel=0.2)


def test_a_known_gap_teaches_nothing() -> None:
    stream = taught(120.0)
    before = stream.usual()

    stream.miss(15 * DAY)

    assert stream.usual() == before


def test_negatives_that_surge_inside_a_quiet_total_are_heard() -> None:
    dice = random.Random(4)
    total, negative = Stream(), Stream()
    begin, end = 21 * DAY, 21 * DAY + 3 * HOUR
    spoken: dict[str, list[Signal]] = {"total": [], "negative": []}

    for at in poisson(20.0, 0.0, end, dice):
        share = 0.9 if at >= begin else 0.1
        for name, stream, mass in (("total", total, 1.0), ("negative", negative, float(dice.random() < share))):
            signal = stream.advance(at) if not mass else stream.observe(at, mass)
            if signal and at > begin:
                spoken[name].append(signal)

    assert raised(spoken["total"]) == []
    assert len(raised(spoken["negative"])) == 1


def test_a_post_from_yesterday_changes_nothing() -> None:
    stream = taught(6.0)
    before = stream.pack()

    assert stream.observe(13 * DAY) is None
    assert stream.pack() == before


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 5000), st.floats(0, 1)), max_size=60), st.integers(0, 60))
def test_a_packed_stream_goes_on_as_if_it_had_never_been_packed(steps: list[tuple[float, float]], cut: int) -> None:
    straight, packed, at = Stream(), Stream(), 1_700_000_000.0

    for place, (gap, mass) in enumerate(steps):
        at += gap
        if place == cut:
            packed = Stream.unpack(packed.pack())
        assert straight.observe(at, mass) == packed.observe(at, mass)

    assert straight.pack() == packed.pack()
    assert len(straight.pack()) < 600


def test_a_cut_state_is_refused() -> None:
    with pytest.raises(Invalid):
        Stream.unpack(Stream().pack()[:-1])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 400), min_size=300, max_size=400), st.integers(2, 50))
def test_a_finished_bin_scores_the_same_however_its_posts_were_spread(counts: list[int], parts: int) -> None:
    whole, spread = Stream(), Stream()

    for place, count in enumerate(counts):
        whole.observe(place * 300.0, float(count), teach=True)
        for part in range(parts):
            spread.observe(place * 300.0 + part, count / parts, teach=True)

    assert whole.usual()[0] == pytest.approx(spread.usual()[0], rel=1e-6)
