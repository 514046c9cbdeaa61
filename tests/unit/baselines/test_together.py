import json

from hypothesis import given
from hypothesis import strategies as st

from baselines.together import MAX_TOOLS, Together


def learned(*runs: tuple[str, ...], times: int = 1) -> Together:
    together = Together()
    for _ in range(times):
        for run in runs:
            together.take(run)
    return together


def test_a_tool_that_belongs_is_more_usual_than_one_that_does_not() -> None:
    together = learned(("list", "pay"), ("search", "restart"), times=50)
    assert together.share("pay", ["list"]) > 0.9
    assert together.share("pay", ["search"]) < 0.1
    assert together.share("pay", ["search", "list"]) == together.share("pay", ["list"])
    assert together.share("never", ["list"]) <= together.share("pay", ["search"])


def test_the_first_tool_of_a_run_is_in_its_place() -> None:
    assert learned(("a", "b")).share("c", []) == 1


def test_newer_runs_weigh_more() -> None:
    together = Together()
    for run in [("a", "old")] * 400 + [("a", "new")] * 400:
        together.take(run)
    assert together.share("new", ["a"]) > together.share("old", ["a"])


def test_a_cohort_speaks_for_who_has_done_little() -> None:
    cohort = learned(("list", "pay"), times=100)
    for known in (Together(), learned(("list", "other"), times=5)):
        assert known.share("pay", ["list"], cohort) > known.share("pay", ["list"])
        assert known.share("odd", ["list"], cohort) < 0.2
    settled = learned(("list", "other"), times=300)
    assert settled.share("pay", ["list"], cohort) < 0.2, "its own past outweighs its peers'"


def test_the_tool_used_least_gives_way_however_old_the_others_are() -> None:
    together = Together()
    for _ in range(10_400):  # so often that its weights have just begun anew
        together.take(("daily",))
    for number in range(MAX_TOOLS - 1):
        for _ in range(1000 if number else 500):
            together.take((f"tool-{number}",))
    together.take(("new",))
    tools = [tool for tool, *_ in together.dump()]
    assert "daily" in tools
    assert "tool-0" not in tools
    assert "new" in tools


runs = st.lists(
    st.lists(st.integers(0, 300).map("tool-{}".format), unique=True, max_size=100).map(tuple),
    max_size=12,
)


@given(runs)
def test_it_is_bounded_and_its_shares_are_shares(some: list[tuple[str, ...]]) -> None:
    together = learned(*some)
    rows = together.dump()
    assert len(rows) <= MAX_TOOLS
    assert all(len(others) <= MAX_TOOLS for _, _, _, others in rows)
    for run in some:
        for tool in run[:3]:
            assert 0 < together.share(tool, run[3:6]) <= 1


few = st.lists(st.lists(st.sampled_from("abcd"), unique=True, max_size=4).map(tuple), max_size=40)


@given(few, few)
def test_dump_and_load_go_on_exactly_alike(
    before: list[tuple[str, ...]], after: list[tuple[str, ...]]
) -> None:
    together = learned(*before)
    again = Together.load(json.loads(json.dumps(together.dump())))
    for one in (together, again):
        for run in after:
            one.take(run)
    assert again.dump() == together.dump()
    assert again.share("a", ["b", "c"]) == together.share("a", ["b", "c"])
