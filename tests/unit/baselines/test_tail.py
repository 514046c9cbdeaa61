"""A tail keeps the share of episodes that pass its limit, whatever their distribution."""

import random
from collections.abc import Callable
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.tail import FITTED, GENERATION, SKIPPED, Tail

ALPHA = 0.01


def filled(scores: list[float], generation: int = GENERATION) -> Tail:
    tail = Tail()
    for number, score in enumerate(scores):
        tail.take(score, ALPHA, float(number), generation)
    return tail


def test_has_no_limit_until_enough_episodes_were_taken() -> None:
    tail = filled([1.0] * (SKIPPED + FITTED - 1))
    assert tail.since_s is None
    assert tail.limit(ALPHA) == float("inf")
    assert tail.p_value(100.0) == 1.0
    assert filled([1.0] * (SKIPPED + FITTED)).since_s == SKIPPED + FITTED - 1


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: rng.expovariate(1.0),
        lambda rng: rng.gauss(0.0, 1.0),
        lambda rng: rng.lognormvariate(0.0, 1.0),
        lambda rng: 0.0 if rng.random() < 0.9 else rng.uniform(1, 2),
    ],
    ids=["exponential", "normal", "heavy tail", "mostly zero"],
)
def test_the_share_that_passes_is_the_budgets(draw: Callable[[random.Random], float]) -> None:
    rng = random.Random(7)
    tail, passed, asked = Tail(), 0, 0
    for number in range(20_000):
        score = draw(rng)
        if tail.calibrated:
            asked += 1
            passed += score >= tail.limit(ALPHA)
        tail.take(score, ALPHA, float(number))
    assert 0.3 * ALPHA < passed / asked < 1.5 * ALPHA


def test_even_without_a_variance_it_passes_no_more_than_twice_the_budget() -> None:
    rng = random.Random(7)
    tail, passed = Tail(), 0
    for number in range(20_000):
        score = rng.paretovariate(1.5)
        passed += score >= tail.limit(ALPHA)
        tail.take(score, ALPHA, float(number))
    assert passed / 20_000 < 2 * ALPHA


def test_a_small_budget_is_kept_where_a_few_scores_lie_far_from_the_others() -> None:
    """A lump that the exponential through the upper tenth knows nothing of."""
    rng, alpha = random.Random(7), 6e-4
    tail, passed = Tail(), 0
    for number in range(60_000):
        score = 5.0 if rng.random() < 0.004 else min(rng.expovariate(2.0), 4.0)
        passed += score >= tail.limit(alpha)
        tail.take(score, alpha, float(number))
    assert passed / 60_000 < 1.5 * alpha


def test_rare_large_scores_alarm_less_where_more_of_the_past_counts() -> None:
    """A lump of which five hundred episodes mostly show one, and six times the budget."""

    def passed(generation: float) -> float:
        rng, tail, alpha, alarms = random.Random(7), Tail(), 4e-4, 0
        for number in range(60_000):
            score = rng.uniform(20, 21) if rng.random() < 1 / 400 else rng.expovariate(2.0)
            alarms += score >= tail.limit(alpha)
            tail.take(score, alpha, float(number), generation)
        return alarms / (60_000 * alpha)

    assert passed(GENERATION) > 5
    assert passed(2500) < 2.5


def test_of_a_longer_past_the_fit_is_over_a_part_further_out() -> None:
    rng, tail = random.Random(7), Tail()
    for number in range(4900):
        tail.take(rng.expovariate(1.0), 1e-4, float(number), generation=2500)
    assert tail.p_value(3.0) == 1.0, "it begins at 2 %, or near 4 nats"
    for score in (4.5, 6.0, 7.0):
        assert tail.p_value(score) == pytest.approx(exp(-score), rel=0.3)


def test_of_the_last_episodes_no_more_than_twice_the_budget_lie_beyond_the_limit() -> None:
    kept = [1.0] * 59 + [9.0] * 12
    too_low = -50.0  # what the integrator made of the model before
    tail = Tail.load([1060, 120.0, too_low, [1000, kept], [0, []]])
    assert tail.limit(0.004) > 9.0, "twelve of a thousand reached it, where eight may"
    assert tail.limit(0.007) <= 9.0
    assert tail.p_value(10.0) < 0.004 < tail.p_value(9.0)


def test_where_no_episode_reaches_the_model_is_asked_for_less_than_the_budget() -> None:
    rng = random.Random(7)
    tail = filled([rng.expovariate(1.0) for _ in range(400)])
    few, enough = 0.5 / 400, 4 / 400
    assert tail.p_value(tail.limit(few)) < 0.5 * few
    assert tail.p_value(tail.limit(enough)) == pytest.approx(enough)


def test_a_lasting_shift_is_followed_instead_of_alarming_for_ever() -> None:
    rng = random.Random(7)
    tail = filled([rng.expovariate(1.0) for _ in range(1000)])
    passed = 0
    for number in range(1000):
        score = 5 + rng.expovariate(1.0)
        passed += score >= tail.limit(ALPHA)
        tail.take(score, ALPHA, 1000.0 + number)
    assert passed < 60


def test_a_rarer_score_has_a_smaller_p_value_and_the_limit_has_alpha() -> None:
    rng = random.Random(7)
    tail = filled([rng.expovariate(1.0) for _ in range(1000)])
    assert tail.p_value(9.0) < tail.p_value(6.0) < tail.p_value(0.0) == 1.0
    assert tail.p_value(tail.limit(0.003)) == pytest.approx(0.003)


@given(
    st.lists(st.floats(0, 50), max_size=1500),
    st.lists(st.floats(0, 50), max_size=20),
    st.sampled_from([GENERATION, 1000]),
)
def test_a_loaded_tail_goes_on_as_if_nothing_had_been(
    before: list[float], after: list[float], generation: int
) -> None:
    tail = filled(before, generation)
    loaded = Tail.load(tail.dump())
    for score in after:
        assert loaded.limit(ALPHA) == tail.limit(ALPHA)
        tail.take(score, ALPHA, 1.0, generation)
        loaded.take(score, ALPHA, 1.0, generation)
    assert loaded.dump() == tail.dump()
