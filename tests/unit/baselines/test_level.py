import json
from math import inf, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river.stats import EWVar

from baselines.level import (
    FADING_FACTOR,
    HISTORY,
    MAX_HELD,
    MEMORY_WINDOWS,
    MIN_WINDOWS,
    Level,
)
from baselines.scale import Scale

DAY_S = 86_400.0
NOON = 12
MANY = 1e9
quantities = st.one_of(st.just(0.0), st.floats(min_value=0, max_value=1e15))
scales = st.sampled_from(["count", "bytes"])


def learned(values: list[float], scale: Scale = "count") -> Level:
    level = Level(scale)
    for value in values:
        level.learn(value, NOON)
    return level


def limit(level: Level, alpha: float = 1e-3) -> float:
    return level.limit(NOON, -log(alpha), inf)


def test_it_has_no_opinion_while_learning() -> None:
    level = learned([5.0] * (MIN_WINDOWS - 1))
    assert limit(level) == level.least_limit(NOON) == inf
    assert level.surprise(MANY, NOON) == 0.0
    level.learn(5.0, NOON)
    assert limit(level) < inf
    assert level.surprise(MANY, NOON) > 10


def test_its_spread_is_that_of_rivers_ewvar() -> None:
    rng = np.random.default_rng(1)
    level, reference = Level("bytes"), EWVar(FADING_FACTOR)
    for y in rng.normal(10.0, 2.0, 1000):
        level.learn(float(np.expm1(y)), NOON)
        reference.update(float(y))
    n = MEMORY_WINDOWS
    spread = level._know()[1]
    assert spread**2 == pytest.approx(reference.get() * n / (n - 1))


@pytest.mark.parametrize(("mean", "alpha"), [(2.0, 1e-2), (30.0, 1e-2), (30.0, 1e-3)])
def test_poisson_counts_pass_the_limit_about_as_often_as_it_says(mean: float, alpha: float) -> None:
    rng = np.random.default_rng(7)
    level, above, asked = Level("count"), 0, 30_000
    for count in rng.poisson(mean, asked):
        above += count > limit(level, alpha)
        level.learn(float(count), NOON)
    assert above / asked < 3 * alpha


@pytest.mark.parametrize("scale", ["count", "bytes"])
def test_limit_and_surprise_agree(scale: Scale) -> None:
    counts = np.random.default_rng(3).poisson(40, 200)
    level = learned([float(x) for x in counts], scale)
    for alpha in (1e-2, 1e-4, 1e-8):
        assert level.surprise(limit(level, alpha), NOON) == pytest.approx(-log(alpha), rel=1e-6)


def test_a_constant_stream_is_given_room() -> None:
    assert limit(learned([10.0] * 100)) > 14
    assert limit(learned([36_000.0] * 100)) > 36_000 * 1.2


def test_what_is_zero_most_of_the_time_is_rare_and_not_wild() -> None:
    rng = np.random.default_rng(3)
    sizes = [float(rng.lognormal(10, 0.5)) * (n % 20 == 0) for n in range(2000)]
    level = learned(sizes, "bytes")
    usual = float(np.exp(10))
    assert level.surprise(usual, NOON) > log(10)
    assert usual < limit(level, 1e-4) < 20 * usual, "the zeros do not widen what is usual"
    assert level.expected(NOON) < usual / 10


def test_one_failure_where_there_never_was_one_is_ordinary_and_many_are_not() -> None:
    level = learned([0.0] * 500)
    assert 1 < limit(level, 1e-5) < 20
    assert level.surprise(50.0, NOON) > level.surprise(5.0, NOON) > level.surprise(1.0, NOON) > 3


def test_a_run_of_slightly_too_large_windows_lowers_the_limit() -> None:
    level = learned([float(x) for x in np.random.default_rng(3).poisson(60, 200)])
    alone = level.limit(NOON, 12.0, 12.0)
    total = 0.9 * alone
    for _ in range(3):
        level.run = level.run_with(level.surprise(total, NOON))
        level.learn(total, NOON)
    assert level.limit(NOON, 12.0, 12.0) < total < alone
    for _ in range(20):
        level.run = level.run_with(0.0)
    assert level.run == 0.0, "quiet windows end it"


def test_a_season_is_expected_at_its_hour() -> None:
    rng = np.random.default_rng(5)
    level = Level("count", seasonal=True)
    for _ in range(20):
        for hour in range(24):
            level.learn(float(rng.poisson(400 if 9 <= hour < 17 else 20)), hour)
    day, night = level.limit(10, 10.0, inf), level.limit(2, 10.0, inf)
    assert night < 200 < 400 < day < 800


def test_a_new_level_is_adopted_only_after_it_has_lasted() -> None:
    level = learned([5.0] * 50)
    before = limit(level)
    for minute in range(100):
        level.hold(500.0, NOON, minute * 60.0, DAY_S)
    assert limit(level) == before, "a hundred alarmed minutes are no day"
    level.hold(500.0, NOON, DAY_S + 60.0, DAY_S)
    assert level.expected(NOON) == pytest.approx(500.0)


def test_what_is_learned_late_is_not_usual_while_it_goes_on() -> None:
    prompt, late = Level("bytes"), Level("bytes", lag=24)
    for level in (prompt, late):
        for _ in range(60):
            level.learn(1000.0, NOON)
    known = limit(late)
    for _ in range(24):
        prompt.learn(20_000.0, NOON)
        late.learn(20_000.0, NOON)
        assert limit(late) == pytest.approx(known, rel=0.1)
    assert late.recent[-1] == 20_000.0, "it is shown at once"
    assert limit(prompt) > 20_000.0 > known
    for _ in range(60):
        late.learn(20_000.0, NOON)
    assert limit(late) > 20_000.0


def test_the_first_windows_are_learned_at_once_though_later_ones_are_learned_late() -> None:
    level = Level("count", lag=24)
    for _ in range(MIN_WINDOWS):
        level.learn(5.0, NOON)
    assert limit(level) < inf


def test_a_new_level_is_not_mixed_with_what_waited_from_before() -> None:
    level = Level("count", lag=24)
    for _ in range(100):
        level.learn(5.0, NOON)
    level.adopt(500.0, NOON)
    for _ in range(24):
        level.learn(500.0, NOON)
    assert level.expected(NOON) == pytest.approx(500.0)


def test_an_ordinary_window_ends_the_wait() -> None:
    level = learned([5.0] * 50)
    for day in range(MAX_HELD):
        level.hold(500.0, NOON, day * DAY_S, DAY_S)
    level.learn(5.0, NOON)
    level.hold(500.0, NOON, 20 * DAY_S, DAY_S)
    assert level.expected(NOON) < 10


def test_it_shows_the_last_windows_alarmed_ones_too() -> None:
    level = learned([0.0] * 3 + [2.0])
    level.hold(9.0, NOON, 60.0, DAY_S)
    assert level.recent == (0.0, 0.0, 0.0, 2.0, 9.0)
    later = learned([float(value) for value in range(20)])
    assert later.recent == tuple(float(value) for value in range(20 - HISTORY, 20))


@given(
    st.lists(quantities, max_size=60),
    st.lists(quantities, max_size=12),
    quantities,
    scales,
    st.sampled_from([0, 24]),
)
def test_dump_and_load_go_on_exactly_alike(
    values: list[float], held: list[float], then: float, scale: Scale, lag: int
) -> None:
    level = Level(scale, seasonal=True, lag=lag)
    for number, value in enumerate(values):
        level.run = level.run_with(level.surprise(value, number % 48))
        level.learn(value, number % 48)
    for number, value in enumerate(held):
        level.hold(value, NOON, number * 3600.0 * 5, DAY_S)
    again = Level.load(json.loads(json.dumps(level.dump())), scale, seasonal=True, lag=lag)
    for one in (level, again):
        one.learn(then, NOON)
    assert again.dump() == level.dump()
    for value in (0.0, 1.0, then, MANY):
        assert again.surprise(value, NOON) == level.surprise(value, NOON)
    assert (limit(again), again.expected(NOON), again.recent) == (
        limit(level),
        level.expected(NOON),
        level.recent,
    )


@given(st.lists(quantities, min_size=MIN_WINDOWS, max_size=60), scales, st.floats(0, 500))
def test_the_limit_is_never_below_what_is_expected(
    values: list[float], scale: Scale, nats: float
) -> None:
    level = learned(values, scale)
    at_most = level.limit(NOON, nats, nats)
    assert at_most >= level.least_limit(NOON) * (1 - 1e-9)
    assert at_most * (1 + 1e-9) >= level.expected(NOON) >= 0
