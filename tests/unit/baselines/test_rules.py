import pytest

from baselines.rules import FAMILIES, MAX_ALPHA, Rules, is_strict
from baselines.runs import Step


def step(effect: str, origin: str | None) -> Step:
    return Step("tool", "target", origin, None, None, None, effect)


@pytest.mark.parametrize("effect", ["external", "destructive"])
def test_what_no_person_brought_into_a_harmful_step_is_strict(effect: str) -> None:
    assert is_strict(step(effect, "tool"))
    assert is_strict(step(effect, None)), "not reported: the worst is assumed"
    assert not is_strict(step(effect, "user"))


@pytest.mark.parametrize("effect", ["read", "write", "unknown"])
@pytest.mark.parametrize("origin", ["tool", "model", "user", None])
def test_the_rest_is_not(effect: str, origin: str | None) -> None:
    assert not is_strict(step(effect, origin))


def test_strict_takes_longer_by_default() -> None:
    rules = Rules()
    strict, ordinary = (rules.patience(step(e, "tool")) for e in ("external", "read"))
    assert strict.runs > ordinary.runs
    assert strict.after_s > ordinary.after_s


@pytest.mark.parametrize("family", FAMILIES)
def test_the_busier_the_rarer_each_may_alarm(family: str) -> None:
    rules = Rules()
    alphas = [rules.alpha(family, pace) for pace in (1, 10, 100, 10_000, 1e6)]
    assert alphas == sorted(alphas, reverse=True)
    assert alphas[0] <= MAX_ALPHA
    assert alphas[-1] * 1e6 == pytest.approx(rules.weekly[family])
