import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.sparkline import BARS, GAP, WIDTH, sparkline


@pytest.mark.parametrize(
    ("history", "plot"),
    [
        ([1, 2, 1, 1, 9], "▂▃▂▂█"),
        ([0, 0, 0, 40], "▁▁▁█"),
        ([0, 0, 0], "▁▁▁"),
        ([7, 7, 7], "▄▄▄"),
        ([-5, 0, 5], "▁▅█"),
        ([math.nan, 3, 4], "·▆█"),
        ([1, 2, math.inf], "▃▅█"),
        ([1e308, -1e308, 1e308], "█▁█"),
        ([1, 2, 1, 1, 1e300], "▁▁▁▁█"),
        ([], ""),
    ],
)
def test_it_shows_what_stands_out(history: list[float], plot: str) -> None:
    assert sparkline(history) == plot


def test_the_newest_are_shown() -> None:
    assert sparkline([9.0] * 500 + [0.0] * 23 + [1.0]) == "▁" * 23 + "█"


@given(st.lists(st.floats(), max_size=60), st.integers(1, 40))
def test_any_numbers_make_a_plot_within_its_width(history: list[float], width: int) -> None:
    plot = sparkline(history, width)
    assert len(plot) == min(len(history), width)
    assert set(plot) <= {*BARS, GAP}
    assert len(sparkline(history)) <= WIDTH
