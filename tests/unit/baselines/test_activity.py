import math
from typing import Any

import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.activity import DAY_S, HOUR_S, KEPT_DAYS, Activity


def hour(activity: Activity, at_s: float, calls: int, bytes_out: int = 0) -> None:
    activity.next_hour(at_s)
    activity.calls, activity.bytes_out = calls, bytes_out


def test_what_is_usual_is_per_active_hour_of_the_last_week() -> None:
    activity = Activity()
    for day in range(20):
        for number in (9, 10, 11):
            hour(activity, day * DAY_S + number * HOUR_S, calls=10 if day < 10 else 40)
    hour(activity, 19 * DAY_S + 12 * HOUR_S, calls=0)
    assert activity.hourly().calls == pytest.approx(40)
    assert activity.hourly().hours == 21


def test_one_huge_hour_counts_little() -> None:
    activity = Activity()
    for number in range(100):
        hour(activity, number * HOUR_S, calls=10, bytes_out=10**12 if number == 50 else 1000)
    activity.next_hour(101 * HOUR_S)
    assert activity.hourly().bytes_out == pytest.approx(1000, rel=0.3)


def test_runs_are_counted_by_week_back_from_the_last_active_day() -> None:
    activity = Activity()
    for day in range(14):
        activity.next_hour(day * DAY_S)
        activity.count_run()
        if day == 3:
            activity.count_beyond()
    assert [activity.runs(week) for week in range(3)] == [(7, 0), (7, 1), (0, 0)]
    activity.forget_beyond()
    assert activity.runs(1) == (7, 0)


hours = st.tuples(st.floats(0, 40 * DAY_S), st.integers(0, 2**53), st.booleans())


@given(st.lists(hours, max_size=60))
def test_it_is_bounded_and_dump_and_load_go_on_alike(some: list[Any]) -> None:
    activity = Activity()
    for at_s, size, run in some:
        if at_s >= activity.hour_end_s:
            activity.next_hour(at_s)
        activity.calls += 1
        activity.bytes_out += size
        if run:
            activity.count_run()
            activity.count_beyond()
    again = Activity.load(ormsgpack.unpackb(ormsgpack.packb(activity.dump())))
    assert again.dump() == activity.dump()
    assert len(activity.dump()[2]) <= KEPT_DAYS
    assert math.isfinite(activity.hourly().bytes_out)
    for one in (activity, again):
        one.next_hour(41 * DAY_S)
    assert again.dump() == activity.dump()
