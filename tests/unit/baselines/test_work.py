import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.cohort import Cohort
from baselines.rules import Rules
from baselines.runs import IDLE_S, Step
from baselines.tail import FITTED, GENERATION, SKIPPED, Tail
from baselines.work import CHANGE_AGAIN_S, CHANGE_RUNS, Work

HOUR_S = 3600.0


def step(tool: str, effect: str = "read", origin: str | None = "tool") -> Step:
    return Step(tool, "target", origin, None, None, None, effect)


def do(
    work: Work, name: str, time_s: float, tool: str = "read", score: float = 0.0,
    cohort: Cohort | None = None, alarmed: bool = False,
) -> None:  # fmt: skip
    run = work.run(name, time_s, cohort)
    run.take(step(tool), score)
    run.alarmed = run.alarmed or alarmed


def worked(runs: int, cohort: Cohort | None = None, every_s: float = HOUR_S) -> Work:
    work = Work(Rules(), Tail())
    for number in range(runs):
        do(work, f"r{number}", number * every_s, score=0.1 * (number % 13), cohort=cohort)
    return work


def test_a_run_is_learned_when_it_is_over() -> None:
    work = Work(Rules(), Tail())
    do(work, "a", 0.0, score=2.0)
    do(work, "b", 60.0)
    assert (work.tail.episodes, dict(work.habits.tools.known)) == (0, {})
    do(work, "b", IDLE_S + 61.0)
    assert work.tail.episodes == 2
    assert work.habits.tools.known == {"read": 2}
    assert list(work.recent_scores) == [2.0, 0.0]


def test_the_oddest_runs_wait_though_nobody_was_alarmed() -> None:
    work = worked(3 * (SKIPPED + FITTED))
    at_s = 1000 * HOUR_S
    do(work, "odd", at_s, "wire", score=50.0)
    do(work, "usual", at_s, "note", score=0.1)
    do(work, "later", at_s + HOUR_S)
    assert "wire" in work.habits.tools.held
    assert "wire" not in work.habits.tools.known
    assert "note" in work.habits.tools.known


def test_an_alarmed_run_teaches_neither_the_agent_nor_its_peers() -> None:
    cohort = Cohort()
    work = worked(5, cohort)
    do(work, "odd", 10 * HOUR_S, "wire", cohort=cohort, alarmed=True)
    do(work, "later", 11 * HOUR_S, cohort=cohort)
    assert "wire" not in work.habits.tools.known
    assert "wire" not in json.dumps(cohort.dump())
    assert "read" in json.dumps(cohort.dump())


def test_runs_beyond_an_hours_quota_teach_nothing() -> None:
    work = worked(100)
    for number in range(300):
        do(work, f"invented-{number}", 200 * HOUR_S + number, "wire")
    do(work, "later", 202 * HOUR_S)
    assert work.habits.tools.known["wire"] < 100


def test_peers_are_held_to_the_scores_of_who_is_not_calibrated_yet() -> None:
    cohort = Cohort()
    worked(3 * (SKIPPED + FITTED), cohort)
    assert SKIPPED + FITTED - 1 <= cohort.young.episodes <= SKIPPED + FITTED
    assert Cohort().young.episodes == 0


def test_a_change_relaxes_for_so_many_runs_and_not_again_within_the_day() -> None:
    work = worked(10)
    start_s, relaxed = 20 * HOUR_S, 0
    for number in range(int(CHANGE_AGAIN_S / (IDLE_S + 1)) - 1):
        at_s = start_s + number * (IDLE_S + 1)
        work.change(at_s)
        relaxed += work.changing
        do(work, f"new-{number}", at_s)
    assert CHANGE_RUNS <= relaxed <= CHANGE_RUNS + 1
    assert not work.changing
    work.change(start_s + CHANGE_AGAIN_S)
    assert work.changing


def test_a_change_relaxes_only_what_does_no_harm() -> None:
    work = worked(10)
    harmless, harmful = step("read"), step("send", "external")
    assert work.weight(harmless) == work.weight(harmful) == 1
    work.change(20 * HOUR_S)
    assert work.weight(harmless) < 1
    assert work.weight(harmful) == work.weight(step("rm", "destructive", None)) == 1


def test_the_busier_the_smaller_the_share_that_may_alarm() -> None:
    assert worked(300).alpha < Work(Rules(), Tail()).alpha


def test_of_a_busy_agent_as_many_runs_count_as_one_alarm_is_due_in() -> None:
    def counted(work: Work) -> int:
        return sum(episodes for episodes, _ in work.tail.dump()[3:])

    calm, busy = worked(1600, every_s=4 * HOUR_S), worked(1600, every_s=400.0)
    assert 1 / calm.alpha < GENERATION < counted(calm) < 2 * GENERATION
    assert 1 / busy.alpha > counted(busy) > 1500


acts = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from([1, 1000, 2000, 90_000]),
        st.sampled_from(["read", "wire", "note"]),
        st.floats(0, 20),
        st.sampled_from(["", "", "alarm", "change"]),
    ),
    max_size=40,
)


@settings(max_examples=60)
@given(acts, acts, st.booleans())
def test_dump_and_load_go_on_exactly_alike(before: list[Any], after: list[Any], old: bool) -> None:
    def play(work: Work, some: list[Any], at_s: float) -> list[float]:
        told = []
        for name, wait_s, tool, score, what in some:
            at_s += wait_s
            if what == "change":
                work.change(at_s)
            do(work, name, at_s, tool, score, alarmed=what == "alarm")
            told += [work.alpha, work.usual_score, work.weight(step(tool))]
        return told

    work = worked(130 if old else 0)
    play(work, before, 1e6)
    tail = Tail.load(json.loads(json.dumps(work.tail.dump())))
    again = Work.load(json.loads(json.dumps(work.dump())), Rules(), tail)
    assert play(again, after, 1e7) == play(work, after, 1e7)
    assert again.dump() == work.dump()
    assert again.tail.dump() == work.tail.dump()


def test_a_series_of_one_attack_does_not_raise_the_limit_for_the_next() -> None:
    strict = step("wire", "external")
    ends = []
    for repeats in (0, 40):
        work = worked(3 * (SKIPPED + FITTED))
        at_s = 1000 * HOUR_S
        for number in range(repeats):
            run = work.run(f"attack-{number}", at_s + number * 60, None)
            work.take(run, strict, 30.0, alarmed=True)
        work.run("later", at_s + 24 * HOUR_S, None)
        ends.append(work.tail.limit(0.01))
    calm, attacked = ends
    assert attacked < 2 * calm
    assert Work.load(work.dump(), Rules(), Tail()).told == {("wire", "target"): None}
