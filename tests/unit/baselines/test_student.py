import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy import log
from scipy.special import stdtr

from baselines.student import MAX_NATS, reach, surprise


@given(st.floats(-20, 40), st.integers(8, 60))
def test_it_is_the_tail_of_students_t(deviation: float, windows: int) -> None:
    exact = -log(stdtr(windows - 1, -deviation / (1 + 1 / windows) ** 0.5))
    assert surprise(deviation, windows) == pytest.approx(exact, rel=0.03, abs=1e-3)


@given(st.floats(0.01, 400), st.integers(8, 60))
def test_reach_undoes_it(nats: float, windows: int) -> None:
    assert surprise(reach(nats, windows), windows) == pytest.approx(nats, rel=1e-6)


@given(st.floats(0, 1e9), st.floats(0, 1e9), st.integers(8, 60))
def test_what_lies_farther_out_is_more_surprising(one: float, other: float, windows: int) -> None:
    near, far = sorted((one, other))
    assert 0 <= surprise(near, windows) <= surprise(far, windows) * (1 + 1e-9) <= MAX_NATS + 1


def test_no_deviation_is_as_surprising_as_what_is_never_allowed() -> None:
    assert reach(MAX_NATS, 49) == float("inf")
