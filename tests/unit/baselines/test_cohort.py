import json
from collections.abc import Sequence

from baselines.cohort import MAX_COHORTS, MAX_TOOLS, Cohort, Cohorts
from baselines.runs import Run, Step
from baselines.target import chain


def run(name: str, steps: Sequence[tuple[str, str | None]]) -> Run:
    one = Run(name, 0.0)
    for tool, target in steps:
        one.take(Step(tool, target, None, None, None, None, "read"), 0.0)
    return one


def learned(runs: int = 30) -> Cohort:
    cohort = Cohort()
    for number in range(runs):
        cohort.learn(run(f"r{number}", [("list", None), ("mail", f"user-{number}@corp.example")]))
        cohort.take_young(number % 7, 0.01, float(number))
    return cohort


def test_it_knows_kinds_and_groups_but_no_target_itself() -> None:
    cohort = learned()
    known, stranger = chain("dan@corp.example"), chain("dan@mallory.example")
    ours, theirs = (cohort.group_p_value("mail", 1, target) for target in (known, stranger))
    assert ours == 1
    assert theirs is not None
    assert theirs < 0.1
    assert cohort.group_p_value("mail", 0, stranger) == 1, "a mailbox, as ever"
    assert cohort.group_p_value("mail", 2, known) is None
    assert cohort.group_p_value("other", 1, known) is None
    assert "user-3@corp.example" not in json.dumps(cohort.dump())


def test_a_term_counts_once_a_run() -> None:
    once, often = Cohort(), Cohort()
    once.learn(run("r", [("mail", "a@corp.example")]))
    often.learn(run("r", [("mail", f"user-{n}@corp.example") for n in range(20)]))
    target = chain("x@corp.example")
    assert often.group_p_value("mail", 1, target) == once.group_p_value("mail", 1, target)


def test_invented_tools_do_not_push_the_usual_ones_out() -> None:
    cohort = learned()
    for number in range(2 * MAX_TOOLS):
        cohort.learn(run(f"x{number}", [(f"tool-{number}", "t")]))
    assert cohort.group_p_value("mail", 1, chain("dan@corp.example")) == 1
    assert len(cohort.dump()[2]) <= MAX_TOOLS


def test_it_says_whether_it_is_to_be_saved() -> None:
    cohorts = Cohorts()
    clerks = cohorts.of("clerk")
    assert clerks is not None
    assert cohorts.changed() == []
    clerks.take_young(1.0, 0.1, 0.0)
    assert cohorts.changed() == [("clerk", clerks)]
    cohorts.saved()
    clerks.learn(run("r", [("mail", None)]))
    assert cohorts.changed() == [("clerk", clerks)]


def test_invented_roles_push_none_out() -> None:
    cohorts = Cohorts()
    clerks = cohorts.of("clerk")
    roles = [cohorts.of(f"role-{number}") for number in range(MAX_COHORTS + 10)]
    assert cohorts.of("clerk") is clerks is not None
    assert roles[-1] is None
    assert cohorts.of(None) is None


def test_dump_and_load_go_on_exactly_alike() -> None:
    cohort = learned(200)
    again = Cohort.load(json.loads(json.dumps(cohort.dump())))
    for one in (cohort, again):
        for number in range(20):
            one.learn(run(f"y{number}", [("pay", f"ACC-{number}"), ("mail", "x@y.example")]))
            one.take_young(3.0 + number, 0.01, 1000.0 + number)
    assert again.dump() == cohort.dump()
    assert again.young.limit(0.01) == cohort.young.limit(0.01)
