import json
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.agent_hours import HOUR_S, LEAST_NATS, AgentHours

FIRST_NATS, SPREADS, POWERS = (9.0, 18.0), (0.25, 0.25), (0.7, 0.45)
nats = st.floats(0, 600)


def passed(scores: list[tuple[float, float]]) -> AgentHours:
    """AgentHours in which the two levels had these as their largest surprises."""
    hours = AgentHours(FIRST_NATS, SPREADS, POWERS)
    for number, (one, other) in enumerate(scores):
        hours.enter(number * HOUR_S)
        hours.note(0, one, 0.0)
        hours.note(1, 0.0, other)
        hours.close()
        hours.allow(inf)
    hours.enter(len(scores) * HOUR_S)
    return hours


def test_at_first_the_model_says_what_is_allowed_and_runs_do_not_alarm() -> None:
    hours = passed([(3.0, 1.0)] * 5)
    assert not hours.calibrated
    assert hours.allowed(0) == (9.0, inf)
    assert hours.allowed(1) == (18.0, inf)


def test_a_wild_series_does_not_blunt_a_tame_one() -> None:
    hours = passed([(4.0 + n % 3, 20.0 + 15 * (n % 3)) for n in range(300)])
    hours.allow(8.0)
    assert hours.allowed(0)[0] < 25.0 < hours.allowed(1)[1]
    assert hours.score(0, 15.0, 0.0) > hours.score(1, 0.0, 50.0)


@given(st.lists(st.tuples(nats, nats), min_size=30, max_size=60), st.floats(0.5, 30))
def test_what_is_allowed_reaches_the_limit(scores: list[tuple[float, float]], limit: float) -> None:
    hours = passed(scores)
    hours.allow(limit)
    for level in (0, 1):
        single, run = hours.allowed(level)
        assert single >= LEAST_NATS
        assert run >= LEAST_NATS
        # Up to rounding no less than the limit; more, where so little is never odd.
        if single > LEAST_NATS:
            assert hours.score(level, single, 0.0) >= limit - 1e-6 * (1 + limit)


def test_however_steady_the_past_what_is_likely_is_allowed() -> None:
    hours = passed([(0.0, 0.0)] * 300)
    hours.allow(0.6)
    assert hours.allowed(0) == (LEAST_NATS, LEAST_NATS)


def test_odd_hours_do_not_raise_the_limit_for_the_next_ones_before_a_day_is_over() -> None:
    hours = passed([(4.0 + n % 3, 4.0 + n % 5) for n in range(264)])
    hours.allow(8.0)
    allowed = hours.allowed(0)
    due = []
    for number in range(24):
        hours.enter((300 + number) * HOUR_S)
        hours.note(0, 200.0, 100.0)
        hours.close()
        due.append(hours.is_due)
        assert hours.allowed(0) == allowed
    assert due == [False] * 23 + [True]
    hours.allow(8.0)
    assert hours.allowed(0) > allowed


def test_at_first_each_hour_says_what_is_usual() -> None:
    assert passed([(1.0, 1.0)] * 100).is_due


def test_the_score_of_an_hour_is_its_largest() -> None:
    hours = passed([(4.0 + n % 3, 4.0 + n % 5) for n in range(100)])
    hours.note(0, 5.0, 0.0)
    hours.note(0, 30.0, 0.0)
    hours.note(1, 2.0, 0.0)
    expected = hours.score(0, 30.0, 0.0)
    assert hours.close() == expected
    hours.enter(200 * HOUR_S)
    assert hours.close() < expected, "the next hour begins anew"


@pytest.mark.parametrize(("every_h", "per_week"), [(1, 168), (24, 7), (7, 24)])
def test_its_pace_is_how_many_hours_of_a_week_it_acts_in(every_h: int, per_week: int) -> None:
    hours = AgentHours(FIRST_NATS, SPREADS, POWERS)
    for number in range(0, 8 * 168, every_h):
        hours.enter(number * HOUR_S)
    assert hours.per_week == pytest.approx(per_week, rel=0.1)


def test_in_its_first_hours_an_agent_is_not_taken_to_act_all_week() -> None:
    hours = AgentHours(FIRST_NATS, SPREADS, POWERS)
    hours.enter(0.0)
    assert hours.per_week < 8


@given(st.lists(st.tuples(nats, nats), max_size=60), st.one_of(st.just(inf), st.floats(0, 50)))
def test_dump_and_load(scores: list[tuple[float, float]], limit: float) -> None:
    hours = passed(scores)
    hours.allow(limit)
    hours.note(0, 7.0, 3.0)
    again = AgentHours.load(json.loads(json.dumps(hours.dump())), FIRST_NATS, SPREADS, POWERS)
    assert [again.allowed(level) for level in (0, 1)] == [hours.allowed(level) for level in (0, 1)]
    for one in (again, hours):
        one.enter(1e6)
    assert again.close() == hours.close()
    assert again.dump() == hours.dump()


def test_hours_of_other_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="number of levels"):
        AgentHours.load(passed([]).dump(), (9.0,), (0.25,), (0.7,))
