import json
from typing import Any

import pytest

from baselines.effect import EffectMap
from baselines.profile import Profile, Rules
from baselines.window import (
    BYTES_OUT,
    CALLS,
    DENIALS,
    FAILURES,
    METRICS,
    OVERRIDES,
    WINDOWS_S,
    Window,
    load_hours,
    new_hours,
)
from tests.kit.events import START_S, event

ALPHA = dict.fromkeys(WINDOWS_S, 1e-4)
DAY_S = 86_400.0


def feed(profile: Profile, number: int, time_s: float, **fields: object) -> None:
    seen = event(number, time_s, **fields)
    profile.learn(profile.observe(seen, EffectMap()))


def minute_after(minutes: int, calls: int = 3) -> Window:
    """An open minute, after so many with so many calls each."""
    window = Window(60, new_hours(ALPHA))
    for number in range(minutes):
        window.open(START_S + number * 60)
        for _ in range(calls):
            window.add(None, None, None)
        window.close(DAY_S)
    window.open(START_S + minutes * 60)
    return window


def test_totals_count_calls_bytes_and_outcomes() -> None:
    profile = Profile("payroll-1", Rules())
    feed(profile, 1, START_S, bytes_out=10)
    feed(profile, 2, START_S + 1, bytes_out=5, status="error")
    feed(profile, 3, START_S + 2, status="denied")
    feed(profile, 4, START_S + 3, status="overridden")
    feed(profile, 5, START_S + 4, status="timeout")
    for window in profile.windows:
        assert window.totals[CALLS] == 5
        assert window.totals[BYTES_OUT] == 15
        assert window.totals[FAILURES] == 2
        assert window.totals[DENIALS] == 1
        assert window.totals[OVERRIDES] == 1


def test_a_window_closes_by_the_agents_own_time() -> None:
    profile = Profile("payroll-1", Rules())
    feed(profile, 1, START_S)
    feed(profile, 2, START_S + 59.9)
    assert profile.windows[0].levels[CALLS].windows == 0
    feed(profile, 3, START_S + 60)
    assert profile.windows[0].levels[CALLS].windows == 1
    assert profile.windows[0].levels[CALLS].recent == (2.0,)


def test_a_late_event_counts_in_the_open_window() -> None:
    profile = Profile("payroll-1", Rules())
    feed(profile, 1, START_S + 120)
    feed(profile, 2, START_S)
    assert profile.windows[0].totals[CALLS] == 2
    assert profile.windows[0].start_s == START_S + 120


def test_it_is_over_at_the_first_event_past_the_limit() -> None:
    window = minute_after(60)
    calls = 1
    while not window.add(None, None, None):
        calls += 1
    assert calls - 1 <= window.limits[CALLS] < calls
    assert window.score(CALLS)[1] >= -1e-9 + window._hours.allowed(CALLS)[0] * 0.99


@pytest.mark.parametrize("metric", [FAILURES, DENIALS, OVERRIDES])
def test_one_of_what_there_never_was_is_ordinary_and_many_are_not(metric: int) -> None:
    window = minute_after(300, calls=60)
    overs = [window.add(None, None, metric) for _ in range(50)]
    assert not overs[0]
    assert overs[-1]


def test_an_alarmed_window_is_held_once_limits_are_the_agents_own() -> None:
    window = minute_after(60)
    hours = window._hours
    hours.allow(9.0)
    for _ in range(1000):
        window.add(None, None, None)
    window.alarmed.add(CALLS)
    window.close(DAY_S)
    assert window.levels[CALLS].windows == 60
    assert window.levels[BYTES_OUT].windows == 61
    assert window.levels[CALLS].expected(0) == pytest.approx(3, abs=0.01)
    window.open(START_S + 3660)
    assert not window.alarmed


def test_before_that_it_is_learned_as_far_as_its_limit() -> None:
    window = minute_after(60)
    for _ in range(1000):
        window.add(None, None, None)
    limit = window.limits[CALLS]
    window.alarmed.add(CALLS)
    window.close(DAY_S)
    assert window.levels[CALLS].windows == 61
    assert 3.01 < window.levels[CALLS].expected(0) < 3 + 0.1 * limit


def test_the_agent_hours_score_is_that_of_its_oddest_minute() -> None:
    profile = Profile("payroll-1", Rules())
    number = 0
    for minute in range(180):
        for call in range(40 if minute == 150 else 2):
            number += 1
            feed(profile, number, START_S // 3600 * 3600 + minute * 60 + call)
    hours = profile.hours
    assert profile.tails["level"].episodes == 2, "the third hour is open"
    odd = hours.close()
    assert odd > 10


def test_a_quiet_agent_and_a_busy_one_get_the_same_number_of_false_alarms_a_week() -> None:
    limits = []
    for every_h in (1, 12):
        profile = Profile("payroll-1", Rules())
        for hour in range(0, 200 * every_h, every_h):
            calls = 1 + hour * 7919 % 5
            for call in range(calls):
                feed(profile, hour * 10 + call, START_S // 3600 * 3600 + hour * 3600 + call)
        limits.append(profile.rules.alpha("level", profile.hours.per_week))
    assert limits[1] == pytest.approx(12 * limits[0], rel=0.1)


def test_dump_and_load_go_on_exactly_alike() -> None:
    window = minute_after(40)
    hours = window._hours
    data: list[Any] = json.loads(json.dumps([window.dump(), hours.dump()]))
    again = Window.load(data[0], 60, load_hours(data[1], ALPHA))
    for _ in range(30):
        assert again.add(5, None, FAILURES) == window.add(5, None, FAILURES)
    assert again.limits == window.limits
    for metric in range(len(METRICS)):
        assert again.score(metric) == window.score(metric)
    for one in (again, window):
        one.close(DAY_S)
    assert again.dump() == window.dump()
