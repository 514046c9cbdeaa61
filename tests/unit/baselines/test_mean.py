from hypothesis import given
from hypothesis import strategies as st
from river.stats import EWMean

from baselines.mean import mean_at

values = st.floats(-1e6, 1e6)


@given(st.lists(values, min_size=1), values)
def test_a_mean_goes_on_from_where_it_stood(before: list[float], later: float) -> None:
    mean = EWMean(0.04)
    for value in before:
        mean.update(value)
    again = mean_at(mean.get(), 0.04)
    assert again.get() == mean.get()
    mean.update(later)
    again.update(later)
    assert again.get() == mean.get()
