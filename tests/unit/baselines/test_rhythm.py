"""A rhythm knows the hours of the week in which an agent acts, and how odd a pause is."""

from collections.abc import Callable, Iterator

import ormsgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.rhythm import DAY_S, HOUR_S, Rhythm
from tests.kit.week import MONDAY_S, at, office


def learned(weeks: int, times: Callable[[int], Iterator[float]] = office) -> Rhythm:
    rhythm = Rhythm()
    for time_s in times(weeks):
        rhythm.enter(time_s)
    return rhythm


def around_the_clock(weeks: int) -> Iterator[float]:
    yield from (MONDAY_S + hour * HOUR_S for hour in range(weeks * 168))


def test_it_knows_office_hours_from_nights_and_weekends() -> None:
    rhythm = learned(4)
    assert rhythm.p_active(at(1, 10, 4)) > 0.9
    assert rhythm.p_active(at(1, 3, 4)) < 0.02
    assert rhythm.p_active(at(6, 10, 4)) < 0.1 < rhythm.p_active(at(0, 10, 4))
    assert rhythm.surprise(at(6, 3, 4)) > 4 > rhythm.surprise(at(1, 10, 4))
    assert rhythm.hours_per_week == pytest.approx(40, abs=8)


def test_the_past_fades() -> None:
    rhythm = learned(8)
    for week in range(8, 20):
        for day in range(5):
            rhythm.enter(at(day, 20, week))
    assert rhythm.p_active(at(1, 10, 20)) < 0.2
    assert rhythm.p_active(at(1, 20, 20)) > 0.7


def test_a_day_is_not_judged_by_itself() -> None:
    rhythm = learned(4)
    rhythm.enter(at(0, 9, 4))
    before = rhythm.usual(at(0, 23, 4))
    rhythm.enter(at(0, 22, 4))
    assert rhythm.usual(at(0, 23, 4)) == before


def test_an_endless_absence_is_learned_in_bounded_time() -> None:
    rhythm = learned(2)
    rhythm.enter(MONDAY_S + 1e11)
    assert rhythm.p_active(at(1, 10)) < 0.2


def test_how_odd_acting_is_has_a_bound() -> None:
    rhythm = learned(60)
    assert rhythm.surprise(at(6, 3, 60)) == rhythm.surprise(at(5, 3, 60)) < 5


def test_a_pause_in_busy_hours_is_odder_than_one_at_night() -> None:
    rhythm = learned(4)
    busy = rhythm.silence(at(1, 9, 4), at(1, 11, 4))
    assert busy > 10 * rhythm.silence(at(1, 18, 4), at(2, 8, 4))
    assert rhythm.silence(at(1, 9, 4), at(1, 11, 4), [(at(1, 9, 4), at(1, 10, 4))]) < 0.7 * busy
    assert rhythm.silence(at(1, 11), at(1, 9)) == 0.0


@given(st.floats(0, 3e6), st.floats(0, 60), st.lists(st.floats(0, 2e6), max_size=4))
def test_until_undoes_silence(start: float, odd: float, some: list[float]) -> None:
    rhythm = learned(3)
    start_s, edges = MONDAY_S + start, sorted(MONDAY_S + one for one in some)
    excused = list(zip(edges[::2], edges[1::2], strict=False))
    end_s = rhythm.until(start_s, odd, excused)
    inside = [span for span in excused if span[1] <= end_s]
    if len(inside) == len(excused):
        assert rhythm.silence(start_s, end_s, excused) == pytest.approx(odd, abs=1e-6)


def test_an_alarmed_hour_waits_until_it_has_recurred() -> None:
    rhythm = learned(4)
    times = [at(1, 3, week) for week in range(4, 9)]
    for number, time_s in enumerate(times):
        before = rhythm.p_active(time_s)
        rhythm.enter(time_s, alarmed=True, promote_runs=4, promote_after_s=DAY_S)
        rhythm.enter(time_s + DAY_S + 6 * HOUR_S)
        assert (rhythm.p_active(time_s) > 10 * before) == (number == 3), number


def test_an_alarmed_silence_is_not_learned_until_it_has_recurred() -> None:
    rhythm = learned(4, around_the_clock)
    usual = rhythm.p_active(at(2, 12))
    for week in range(4, 7):
        rhythm.missed = True
        rhythm.enter(at(5, 12, week), promote_runs=4, promote_after_s=DAY_S)
        assert not rhythm.missed
        assert rhythm.p_active(at(2, 12)) >= usual
    rhythm.missed = True
    rhythm.enter(at(5, 12, 7), promote_runs=4, promote_after_s=DAY_S)
    assert rhythm.p_active(at(2, 12)) < usual


def test_hours_of_an_outage_do_not_count() -> None:
    rhythm, same = learned(4, around_the_clock), learned(4, around_the_clock)
    last_s, back_s = at(6, 23, 3), at(3, 0, 4)
    rhythm.enter(back_s, excused=[(last_s, back_s)])
    same.enter(back_s)
    assert rhythm.p_active(at(1, 12)) > same.p_active(at(1, 12))


Step = tuple[float, float, bool, bool]
steps = st.lists(
    st.tuples(st.floats(1, 5e5), st.floats(0, 9), st.booleans(), st.booleans()), max_size=60
)


def play(rhythm: Rhythm, some: list[Step], time_s: float) -> list[float]:
    found = []
    for wait_s, pause, alarmed, missed in some:
        before_s, time_s = time_s, time_s + wait_s
        if time_s >= rhythm.end_s:
            found.append(rhythm.surprise(time_s) + rhythm.silence(before_s, time_s))
            rhythm.missed = missed
            rhythm.enter(time_s, pause, alarmed=alarmed, promote_runs=2, promote_after_s=DAY_S)
    return found


@settings(max_examples=60)
@given(st.floats(-1e9, 2e9), steps, st.integers(0, 60))
def test_a_loaded_rhythm_goes_on_as_if_nothing_had_been(
    start_s: float, some: list[Step], cut: int
) -> None:
    whole, first = Rhythm(), Rhythm()
    expected = play(whole, some, start_s)
    found = play(first, some[:cut], start_s)
    second = Rhythm.load(ormsgpack.unpackb(ormsgpack.packb(first.dump())))
    for wait_s, *_ in some[:cut]:
        start_s += wait_s
    found += play(second, some[cut:], start_s)
    assert found == expected
    assert second.dump() == whole.dump()


def test_what_is_no_rhythm_is_refused() -> None:
    data = Rhythm().dump()
    data[-1] = data[-1][:100]
    with pytest.raises(ValueError, match="168 hours"):
        Rhythm.load(data)
