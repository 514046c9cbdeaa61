import ormsgpack

from baselines.ways_out import MAX_HABITS, WaysOut

PROMOTE_RUNS, APART_S = 4, 21_600.0


def odd_runs(ways_out: WaysOut, runs: int, every_s: float) -> list[int]:
    """Which of so many runs, one after another, are odd."""
    odd = []
    for number in range(1, runs + 1):
        if ways_out.is_odd("sent", PROMOTE_RUNS):
            odd.append(number)
        ways_out.count("sent", number * every_s, APART_S)
    return odd


def test_an_agent_whose_work_it_is_becomes_dull() -> None:
    assert odd_runs(WaysOut(), 200, APART_S) == [1, 2, 3, 4]


def test_nobody_makes_it_ordinary_within_an_hour() -> None:
    assert odd_runs(WaysOut(), 100, 30.0) == [1, 2, 3, 4, 8, 16, 32, 64]


def test_it_is_bounded_and_dumps_exactly() -> None:
    ways_out = WaysOut()
    for number in range(1000):
        ways_out.count(f"tool-{number}", float(number), APART_S)
        ways_out.count("sent", float(number), APART_S)
    assert len(ways_out.dump()) == MAX_HABITS
    again = WaysOut.load(ormsgpack.unpackb(ormsgpack.packb(ways_out.dump())))
    assert again.dump() == ways_out.dump()
