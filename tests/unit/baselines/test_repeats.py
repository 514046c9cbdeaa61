import json

from hypothesis import given
from hypothesis import strategies as st

from baselines.repeats import Repeats
from baselines.runs import MAX_CALLS, Call, Run

DAY_S = 86_400.0


def call(name: str) -> Call:
    return (name, None, 1, 1)


def play(
    repeats: Repeats, run: Run, names: str, alarm_at: int = 10**9, time_s: float = 0.0
) -> list[tuple[int, int]]:
    counts = []
    for name in names:
        streak, turns = Repeats.count(run, call(name))
        repeats.take(run, call(name), streak, streak == alarm_at, time_s, DAY_S)
        counts.append((streak, turns))
    return counts


def test_it_counts_in_a_row_and_among_those_taking_turns() -> None:
    assert play(Repeats(), Run("r", 0.0), "aaab")[-2:] == [(3, 3), (1, 1)]
    assert play(Repeats(), Run("r", 0.0), "ab" * 5)[-1] == (1, 5)
    assert play(Repeats(), Run("r", 0.0), "abcd" * 5)[-1] == (1, 5)
    assert play(Repeats(), Run("r", 0.0), "aab" * 3)[-2:] == [(2, 6), (1, 3)]


def test_more_calls_than_a_few_do_not_take_turns() -> None:
    many = "abcdefghij"[: MAX_CALLS + 1]
    assert play(Repeats(), Run("r", 0.0), many * 5)[-1] == (1, 1)


def test_what_is_usual_follows_the_streaks() -> None:
    short, long = Repeats(), Repeats()
    assert short.usual == 1
    for number in range(100):
        play(short, Run(f"r{number}", 0.0), "aab")
        play(long, Run(f"r{number}", 0.0), "a" * 12 + "b")
    assert short.usual < 3
    assert 10 < long.usual <= 12


def test_an_alarmed_streak_is_usual_only_once_such_have_lasted() -> None:
    hasty, patient = Repeats(), Repeats()
    for number in range(40):
        for one, apart_s in ((hasty, 60.0), (patient, DAY_S / 4)):
            run = Run(f"r{number}", 0.0)
            play(one, run, "a" * 12, alarm_at=5, time_s=number * apart_s)
            one.end(run, number * apart_s, DAY_S)
    assert hasty.usual == 1
    assert patient.usual > 10


def test_a_loop_of_calls_taking_turns_goes_on_as_one() -> None:
    repeats, run = Repeats(), Run("r", 0.0)
    play(repeats, run, "ababab")
    repeats.take(run, call("a"), 1, True, 0.0, DAY_S)
    play(repeats, run, "bab")
    assert run.looping
    play(repeats, run, "c")
    assert not run.looping


names = st.text("abcdefg", max_size=60)


@given(names, names, st.integers(2, 6))
def test_dump_and_load_go_on_exactly_alike(before: str, after: str, alarm_at: int) -> None:
    repeats, run = Repeats(), Run("r", 0.0)
    play(repeats, run, before, alarm_at)
    again = Repeats.load(json.loads(json.dumps(repeats.dump())))
    same = Run.load(json.loads(json.dumps(run.dump())))
    assert play(again, same, after, alarm_at, DAY_S) == play(repeats, run, after, alarm_at, DAY_S)
    assert again.dump() == repeats.dump()
    assert same.dump() == run.dump()
    assert again.usual == repeats.usual
    assert len(run.calls) <= MAX_CALLS
