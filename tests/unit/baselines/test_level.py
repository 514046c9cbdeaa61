import json
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river.stats import EWVar

from baselines.level import FADING_FACTOR, MAX_HELD, MEMORY_WINDOWS, MIN_WINDOWS, Level, Scale

DAY_S = 86_400.0
quantities = st.floats(min_value=0, max_value=1e15)


def learned(values: list[float], scale: Scale = "count", alpha: float = 1e-3) -> Level:
    level = Level(scale, alpha)
    for value in values:
        level.learn(value)
    return level


def test_it_has_no_opinion_while_learning() -> None:
    level = learned([5.0] * (MIN_WINDOWS - 1))
    assert level.limit == inf
    assert level.p_value(1e9) == 1.0
    level.learn(5.0)
    assert level.limit < inf


def test_its_spread_is_that_of_rivers_ewvar() -> None:
    rng = np.random.default_rng(1)
    level, reference = Level("bytes", 1e-3), EWVar(FADING_FACTOR)
    for y in rng.normal(10.0, 2.0, 500):
        level.learn(float(np.expm1(y)))
        reference.update(float(y))
    n = MEMORY_WINDOWS
    assert level._spread(level._mean.get(), n) ** 2 == pytest.approx(reference.get() * n / (n - 1))


@pytest.mark.parametrize(("mean", "alpha"), [(2.0, 1e-2), (30.0, 1e-2), (30.0, 1e-3)])
def test_poisson_counts_pass_the_limit_about_as_often_as_it_says(mean: float, alpha: float) -> None:
    rng = np.random.default_rng(7)
    level, above, asked = Level("count", alpha), 0, 60_000
    for count in rng.poisson(mean, asked):
        above += count > level.limit
        level.learn(float(count))
    assert above / asked < 3 * alpha


def test_limit_and_p_value_agree() -> None:
    level = learned([float(x) for x in np.random.default_rng(3).poisson(40, 200)], alpha=1e-4)
    assert level.p_value(level.limit) == pytest.approx(1e-4, rel=1e-6)
    assert level.p_value(level.limit * 2) < 1e-4 < level.p_value(level.limit * 0.9)


def test_a_constant_stream_is_given_room() -> None:
    assert learned([10.0] * 100).limit > 14
    assert learned([0.0] * 100).limit > 1


def test_a_new_level_is_adopted_only_after_it_has_lasted() -> None:
    level = learned([5.0] * 50)
    limit = level.limit
    for minute in range(100):
        level.hold(500.0, minute * 60.0, DAY_S)
    assert level.limit == limit, "a hundred alarmed minutes are no day"
    level.hold(500.0, DAY_S + 60.0, DAY_S)
    assert level.expected == pytest.approx(500.0)


def test_an_ordinary_window_ends_the_wait() -> None:
    level = learned([5.0] * 50)
    for day in range(MAX_HELD):
        level.hold(500.0, day * DAY_S, DAY_S)
    level.learn(5.0)
    level.hold(500.0, 20 * DAY_S, DAY_S)
    assert level.expected < 10


@given(st.lists(quantities, max_size=60), st.lists(quantities, max_size=5), quantities)
def test_dump_and_load_go_on_exactly_alike(
    values: list[float], held: list[float], then: float
) -> None:
    level = learned(values)
    for number, value in enumerate(held):
        level.hold(value, number * 60.0, DAY_S)
    again = Level.load(json.loads(json.dumps(level.dump())), "count", level.alpha)
    assert again.limit == level.limit
    for one in (level, again):
        one.learn(then)
    assert (again.limit, again.expected, again.dump()) == (
        level.limit,
        level.expected,
        level.dump(),
    )


@given(st.lists(quantities, min_size=MIN_WINDOWS, max_size=60), st.sampled_from(["count", "bytes"]))
def test_the_limit_is_never_below_what_is_expected(values: list[float], scale: Scale) -> None:
    level = learned(values, scale)
    assert level.limit >= level.expected >= 0
