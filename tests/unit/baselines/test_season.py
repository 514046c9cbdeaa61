import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.season import CELLS, Season, hour_cell

THURSDAY_S = 0.0
HOUR_S = 3600.0


def test_the_hours_of_weekends_are_apart() -> None:
    assert hour_cell(THURSDAY_S + 9 * HOUR_S) == 9
    assert hour_cell(THURSDAY_S + 33 * HOUR_S) == 9
    assert hour_cell(THURSDAY_S + 57 * HOUR_S) == 24 + 9
    assert hour_cell(THURSDAY_S + 81 * HOUR_S + 3599) == 24 + 9
    assert hour_cell(THURSDAY_S + 105 * HOUR_S) == 9


def test_an_hour_becomes_what_it_was_again_and_again_but_not_at_once() -> None:
    season = Season()
    season.learn(6.0, 9)
    assert 2.0 < season.offset(9) < 6.0
    for _ in range(20):
        season.learn(6.0 - season.offset(9), 9)
    assert season.offset(9) == pytest.approx(6.0, rel=0.05)
    assert season.offset(10) == 0.0


def test_the_first_weekend_is_taken_to_be_like_the_working_days() -> None:
    season = Season()
    season.learn(6.0, 9)
    assert season.offset(24 + 9) == season.offset(9)
    season.learn(-6.0, 24 + 9)
    assert season.offset(24 + 9) < season.offset(9)


residuals = st.lists(st.tuples(st.floats(-1e3, 1e3), st.integers(0, CELLS - 1)), max_size=300)


@given(residuals)
def test_dump_and_load(visits: list[tuple[float, int]]) -> None:
    season = Season()
    for residual, cell in visits:
        season.learn(residual, cell)
    again = Season.load(json.loads(json.dumps(season.dump())))
    assert again.dump() == season.dump()
    assert [again.offset(c) for c in range(CELLS)] == [season.offset(c) for c in range(CELLS)]


def test_a_season_of_other_hours_is_refused() -> None:
    with pytest.raises(ValueError, match="number of hours"):
        Season.load([[0.0] * 24, [0] * 24])
