import json

from hypothesis import given
from hypothesis import strategies as st

from baselines.pace import WEEK_S, Pace

HOUR_S = 3600.0


def paced(every_s: float, for_s: float) -> Pace:
    pace = Pace()
    for number in range(int(for_s / every_s)):
        pace.take(number * every_s)
    return pace


def test_it_counts_runs_a_week() -> None:
    for every_s in (60.0, HOUR_S, WEEK_S / 10):
        pace = paced(every_s, 6 * WEEK_S if every_s > 60 else WEEK_S)
        assert 0.8 < pace.runs_per_week / (WEEK_S / every_s) < 1.3
    assert Pace().runs_per_week >= 1


def test_it_follows_a_change_of_pace() -> None:
    pace = paced(HOUR_S, 2 * WEEK_S)
    before = pace.runs_per_week
    for number in range(8 * 14):
        pace.take(2 * WEEK_S + number * WEEK_S / 14)
    assert pace.runs_per_week < before / 4


def test_a_burst_teaches_little_more_than_a_usual_busy_hour() -> None:
    pace = paced(HOUR_S / 6, WEEK_S)
    taught = sum(pace.take(WEEK_S + HOUR_S + number) for number in range(1000))
    assert 6 <= taught < 50
    later = sum(pace.take(WEEK_S + 2 * HOUR_S + number) for number in range(1000))
    assert later < 1.5 * taught, "nor does one burst raise the quota of the next"
    assert pace.take(WEEK_S + 3 * HOUR_S), "the next hour teaches again"


def test_a_busy_agent_may_learn_from_all_it_does() -> None:
    pace = paced(10.0, WEEK_S / 2)
    assert all(pace.take(WEEK_S / 2 + 10.0 * number) for number in range(360))


def test_a_time_that_goes_back_gives_no_new_hour() -> None:
    pace = Pace()
    taught = sum(pace.take((500 - number) * HOUR_S) for number in range(400))
    assert taught < 50


times = st.lists(st.floats(0, 10 * WEEK_S), max_size=80)


@given(times, times)
def test_dump_and_load_go_on_exactly_alike(before: list[float], after: list[float]) -> None:
    pace = Pace()
    for time_s in before:
        pace.take(time_s)
    again = Pace.load(json.loads(json.dumps(pace.dump())))
    assert [again.take(t) for t in after] == [pace.take(t) for t in after]
    assert again.dump() == pace.dump()
    assert again.runs_per_week == pace.runs_per_week >= 1
