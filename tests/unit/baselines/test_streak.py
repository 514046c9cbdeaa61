import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.streak import lengthen, lengthens_to


def test_a_little_too_much_for_long_is_as_odd_as_far_too_much_for_once() -> None:
    streak = 0.0
    for _ in range(5):
        streak = lengthen(streak, 5.0)
    assert streak == pytest.approx(lengthen(0.0, 5 * 5.0 - 4 * 2.01), abs=0.01)


def test_ordinary_windows_end_it() -> None:
    streak = lengthen(0.0, 20.0)
    for _ in range(20):
        streak = lengthen(streak, 0.0)
    assert streak == 0.0


@given(st.floats(0, 50), st.floats(0, 40))
def test_what_it_takes_is_what_lengthens_it(streak: float, nats: float) -> None:
    longer = lengthen(streak, nats)
    if 0 < longer < 100:
        assert lengthens_to(streak, longer) == pytest.approx(nats, abs=1e-9)
