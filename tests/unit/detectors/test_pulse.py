"""The pulse of a shard tells an outage from a quiet night."""

import json
from collections.abc import Iterable

from baselines.rhythm import DAY_S, HOUR_S, WEEK_S
from detectors.pulse import MAX_OUTAGES, Pulse
from tests.kit.week import MONDAY_S, at


def beat(pulse: Pulse, times: Iterable[float]) -> None:
    for time_s in times:
        if time_s >= pulse.next_s:
            pulse.tick(time_s)


def working(first: int, weeks: int) -> Iterable[float]:
    for week in range(first, first + weeks):
        for day in range(5):
            yield from (at(day, 9 + minute / 60, week) for minute in range(480))


def test_nights_are_no_outage_and_an_hour_at_noon_is_one() -> None:
    pulse = Pulse()
    beat(pulse, working(0, 6))
    young = len(pulse.outages)
    beat(pulse, working(6, 2))
    assert len(pulse.outages) == young
    beat(pulse, (time_s for time_s in working(8, 1) if not at(2, 11, 8) < time_s < at(2, 13, 8)))
    assert pulse.outages[young:] == ((at(2, 11, 8), at(2, 13, 8)),)
    assert pulse.outages_since(at(2, 12, 8)) == pulse.outages[young:]
    assert pulse.outages_since(at(2, 14, 8)) == ()


def test_the_watermark_never_goes_back_and_moves_by_the_minute() -> None:
    pulse = Pulse()
    beat(pulse, [MONDAY_S, MONDAY_S + 59, MONDAY_S - 1000])
    assert pulse.watermark_s == MONDAY_S
    beat(pulse, [MONDAY_S + 61])
    assert pulse.watermark_s == MONDAY_S + 61


def test_only_the_latest_outages_are_kept() -> None:
    pulse = Pulse()
    beat(pulse, (MONDAY_S + minute * 60 for minute in range(10 * 1440)))
    start_s = MONDAY_S + 2 * WEEK_S
    for day in range(60):
        beat(pulse, (start_s + day * DAY_S + minute * 60 for minute in range(1440 - 120)))
    assert 0 < len(pulse.outages) <= MAX_OUTAGES


def test_a_loaded_pulse_goes_on_as_if_nothing_had_been() -> None:
    whole, first = Pulse(), Pulse()
    before = [MONDAY_S + minute * 300 for minute in range(2000)]
    after = [before[-1] + 7 * HOUR_S + minute * 300 for minute in range(500)]
    beat(whole, before + after)
    beat(first, before)
    second = Pulse.load(json.loads(json.dumps(first.dump())))
    beat(second, after)
    assert second.dump() == whole.dump()
    assert second.outages == whole.outages != ()
