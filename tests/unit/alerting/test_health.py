from hypothesis import given
from hypothesis import strategies as st

from alerting.health import MAX_CONDITIONS, Condition, Trouble, Vigil, is_ready
from alerting.health_rules import RULES
from detectors.finding import Severity

LAG = Trouble("lag", "topic", "far behind")
STALLED = Trouble("stalled", "topic", "no answer")


def kinds(vigil: Vigil) -> list[str]:
    return sorted(key.kind for key in vigil.held)


def test_it_begins_once_it_lasts_and_ends_once_it_is_over_for_good() -> None:
    vigil, rule = Vigil(), RULES["lag"]
    vigil.judge([LAG], 0.0)
    assert kinds(vigil) == []
    vigil.judge([LAG], rule.begins_after_s - 1)
    assert kinds(vigil) == []
    vigil.judge([LAG], rule.begins_after_s)
    assert kinds(vigil) == ["lag"]
    assert vigil.held[LAG.key].since_s == 0.0
    vigil.judge([], rule.begins_after_s + 1)
    vigil.judge([], rule.begins_after_s + rule.ends_after_s - 1)
    assert kinds(vigil) == ["lag"]
    vigil.judge([], rule.begins_after_s + rule.ends_after_s)
    assert kinds(vigil) == []


def test_what_flaps_is_one_condition_and_what_comes_and_goes_is_none() -> None:
    vigil = Vigil()
    for now_s in range(0, 300, 10):  # never long enough at a time
        vigil.judge([LAG] if now_s % 20 else [], float(now_s))
        assert kinds(vigil) == []
    vigil.judge([LAG], 300.0)
    vigil.judge([LAG], 330.0)
    for now_s in range(340, 900, 10):
        vigil.judge([LAG] if now_s % 20 else [], float(now_s))
        assert kinds(vigil) == ["lag"]


def test_a_stalled_source_explains_its_lag_as_long_as_it_is_stalled() -> None:
    vigil = Vigil()
    for now_s in (0.0, 30.0):
        vigil.judge([LAG, STALLED], now_s)
    assert vigil.held[LAG.key].explained_by == "stalled"
    assert vigil.held[STALLED.key].explained_by is None
    vigil.judge([LAG], 30.0 + RULES["stalled"].ends_after_s)
    assert kinds(vigil) == ["lag"]
    assert vigil.held[LAG.key].explained_by is None


def test_it_is_bounded_and_goes_on_after_a_restart() -> None:
    vigil = Vigil()
    vigil.judge([Trouble("serve", str(number), "x") for number in range(1000)], 0.0)
    assert len(vigil.held) == MAX_CONDITIONS
    again = Vigil()
    again.resume(Condition("lag", "topic", "far behind", 5.0), 100.0)
    again.judge([LAG], 100.0)
    assert again.held[LAG.key].since_s == 5.0
    again.judge([], 100.0 + RULES["lag"].ends_after_s)
    assert not again.held


def test_only_what_is_critical_makes_it_unready() -> None:
    assert is_ready([Condition("lag", "t", "", 0.0)])
    assert not is_ready([Condition("stalled", "t", "", 0.0)])
    assert RULES["stalled"].severity is Severity.CRITICAL


@given(st.lists(st.tuples(st.floats(0.1, 200), st.booleans(), st.booleans()), max_size=60))
def test_a_condition_never_begins_early_nor_ends_early(
    steps: list[tuple[float, bool, bool]],
) -> None:
    vigil, now_s = Vigil(), 0.0
    bad_since: dict[str, float] = {}
    bad_last: dict[str, float] = {}
    for step_s, lags, stalls in steps:
        now_s += step_s
        troubles = [one for one, there in ((LAG, lags), (STALLED, stalls)) if there]
        before = set(kinds(vigil))
        vigil.judge(troubles, now_s)
        there = {one.kind for one in troubles}
        for kind in ("lag", "stalled"):
            bad_since = {k: v for k, v in bad_since.items() if k in there}
            if kind in there:
                bad_since.setdefault(kind, now_s)
                bad_last[kind] = now_s
        for kind in set(kinds(vigil)) - before:
            assert now_s - bad_since[kind] >= RULES[kind].begins_after_s  # type: ignore[index]
        for kind in before - set(kinds(vigil)):
            assert now_s - bad_last[kind] >= RULES[kind].ends_after_s  # type: ignore[index]
