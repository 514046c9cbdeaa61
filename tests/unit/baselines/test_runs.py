import json

from hypothesis import given
from hypothesis import strategies as st

from baselines.runs import IDLE_S, MAX_OPEN, MAX_RUN_S, MAX_STEPS, Run, Runs, Step


def step(tool: str, target: str | None = None) -> Step:
    return Step(tool, target, "tool", "read_page", None, "ada", "external")


def test_a_run_is_over_when_it_was_idle_for_long() -> None:
    runs = Runs()
    first, over = runs.at("a", 0.0)
    assert not over
    again, over = runs.at("a", IDLE_S)
    assert again is first
    assert not over
    later, over = runs.at("a", 2 * IDLE_S + 1)
    assert over == [first]
    assert later is not first


def test_another_runs_event_ends_it_too() -> None:
    runs = Runs()
    first, _ = runs.at("a", 0.0)
    second, over = runs.at("b", 60.0)
    assert not over
    _, over = runs.at("b", IDLE_S + 1)
    assert over == [first]
    assert runs.at("b", IDLE_S + 2)[0] is second


def test_a_run_that_never_pauses_ends_all_the_same() -> None:
    runs, ended = Runs(), 0
    for minute in range(int(2.5 * MAX_RUN_S / 60)):
        ended += len(runs.at("a", minute * 60.0)[1])
    assert ended == 2


def test_a_run_of_very_many_steps_goes_on_as_another() -> None:
    runs = Runs()
    run, _ = runs.at("a", 0.0)
    for number in range(MAX_STEPS):
        run, over = runs.at("a", 1.0)
        assert not over
        run.take(step("read", f"t{number}"), 0.0)
    assert runs.at("a", 1.0)[1] == [run]


def test_of_too_many_the_one_quiet_for_longest_ends() -> None:
    runs = Runs()
    for number in range(MAX_OPEN):
        assert not runs.at(f"r{number}", float(number))[1]
    runs.at("r0", 50.0)
    assert [run.name for run in runs.at("new", 51.0)[1]] == ["r1"]
    assert len(runs.dump()[1]) == MAX_OPEN


def test_a_late_event_does_not_turn_a_run_back() -> None:
    runs = Runs()
    runs.at("a", 100.0)
    run, over = runs.at("a", 20.0)
    assert run.last_s == 100.0
    assert not over


def test_it_keeps_its_largest_score_and_its_tools_in_order() -> None:
    run = Run("a", 0.0)
    for tool, score in (("b", 0.0), ("a", 3.0), ("b", 1.0), ("c", 0.0)):
        run.take(step(tool, str(score)), score)
    assert (run.score, run.odd_steps, run.tools) == (3.0, 2, ["b", "a", "c"])


events = st.lists(
    st.tuples(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), st.integers(-60, 2500),
              st.sampled_from("xyz"), st.floats(0, 20)),
    max_size=80,
)  # fmt: skip


def play(runs: Runs, some: list[tuple[str, int, str, float]], at_s: float = 0.0) -> list[object]:
    told: list[object] = []
    for name, wait_s, tool, score in some:
        at_s += wait_s
        run, over = runs.at(name, at_s)
        if step(tool) not in run.steps:
            run.take(step(tool), score)
        run.calls[tool, None, 3, None] = run.streak = len(run.calls)
        told.append([ended.dump() for ended in over])
    return told


@given(events, events)
def test_dump_and_load_go_on_exactly_alike(
    before: list[tuple[str, int, str, float]], after: list[tuple[str, int, str, float]]
) -> None:
    runs = Runs()
    told = play(runs, before)
    again = Runs.load(json.loads(json.dumps(runs.dump())))
    assert play(again, after, 1e5) == play(runs, after, 1e5)
    assert again.dump() == runs.dump()
    assert len(runs.dump()) <= MAX_OPEN
    assert len(told) == len(before)
