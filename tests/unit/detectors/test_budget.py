import pytest

from baselines.rules import FAMILIES, Learning
from baselines.window import METRICS, WINDOWS_S
from detectors.budget import SHARES, WEEK_S, Budget


def test_no_part_of_it_is_spent_twice() -> None:
    assert sum(SHARES.values()) <= 1.0
    assert set(SHARES) == set(FAMILIES)


@pytest.mark.parametrize("alerts", [0.1, 1.0, 10.0])
def test_what_is_allowed_to_all_families_is_within_the_budget(alerts: float) -> None:
    rules = Budget(alerts).rules(Learning())
    assert 0.8 * alerts < sum(rules.weekly.values()) <= alerts
    windows = sum(
        alpha * WEEK_S / length_s * len(METRICS) for length_s, alpha in rules.window_alpha.items()
    )
    assert windows <= rules.weekly["level"] * (1 + 1e-9)
    assert set(rules.window_alpha) == set(WINDOWS_S)


def test_a_larger_budget_allows_more_of_each() -> None:
    small, large = (Budget(alerts).rules(Learning()) for alerts in (1.0, 50.0))
    for family in FAMILIES:
        assert small.alpha(family, 1000) < large.alpha(family, 1000)
