from typing import Any

import ormsgpack
from hypothesis import given
from hypothesis import strategies as st

from baselines.activity import DAY_S
from baselines.approved import (
    MAX_BEYOND,
    MAX_COUNTED,
    MAX_GROUPS,
    MAX_TOOLS_WITH_GROUPS,
    Approved,
    group_of,
)

COMMON = {"action": "tool_call", "effect": "read", "time_s": 1.0}


def meet(approved: Approved, tool: str, target: str | None = None, **fields: Any) -> bool:
    values = {**COMMON, "run": 1, "learn": True, **fields}
    values["run"] = f"run-{values['run']}"
    return approved.meet(tool, values.pop("action"), values.pop("effect"), target, **values)


def test_what_is_met_before_it_is_taken_is_in_it() -> None:
    approved = Approved()
    assert meet(approved, "read", "/srv/pay/a.csv")
    approved.take(2.0, 4)
    assert meet(approved, "read", "/srv/pay/b.csv"), "same folder"
    assert not meet(approved, "read", "/etc/passwd")
    assert not meet(approved, "wire")
    assert not meet(approved, "read", effect="external")
    assert not meet(approved, "read", action="delegate")
    found = {(b.kind, b.text) for b in approved.beyond.values()}
    assert found == {
        ("target", "folder /etc"), ("tool", "wire"), ("effect", "external"), ("verb", "delegate"),
    }  # fmt: skip


def test_what_was_alarmed_on_is_in_it_only_if_it_came_back_on_several_days() -> None:
    approved = Approved()
    for number in range(100):
        assert not meet(approved, "wire", learn=number > 0, run=number)
        assert not meet(approved, "get", learn=False, run=number, time_s=number * DAY_S / 25)
    approved.take(200.0, 4)
    assert not meet(approved, "wire"), "however many runs"
    assert meet(approved, "get")


def test_a_person_approves_what_lay_beyond() -> None:
    approved = Approved()
    approved.take(2.0, 4)
    assert not meet(approved, "wire", "bob@corp.example")
    approved.approve("alice", 3.0)
    assert (approved.by, approved.at_s, approved.beyond) == ("alice", 3.0, {})
    assert meet(approved, "wire", "eve@corp.example")
    assert not meet(approved, "wire", "eve@evil.example")


def test_a_term_is_counted_once_a_run() -> None:
    approved = Approved()
    meet(approved, "read")
    approved.take(2.0, 4)
    for run in (1, 1, 2, 2, 3):
        meet(approved, "wire", run=run)
    assert [b.runs for b in approved.beyond.values()] == [3]


def test_distinct_terms_beyond_it_are_counted_also_those_that_are_forgotten() -> None:
    approved = Approved()
    meet(approved, "read")
    meet(approved, "wire", learn=False)
    assert approved.breadth == 0, "it is not taken yet"
    approved.take(2.0, 4)
    for number in range(2 * 3 * MAX_BEYOND):
        meet(approved, "read", f"/srv/{number % (3 * MAX_BEYOND)}/a.csv", run=number)
    assert (len(approved.beyond), approved.breadth) == (MAX_BEYOND, 3 * MAX_BEYOND)
    for number in range(2 * MAX_COUNTED):
        meet(approved, f"tool-{number}", run=number)
    assert approved.breadth == MAX_COUNTED
    approved.approve("alice", 3.0)
    assert approved.breadth == 0


def test_a_person_approves_more_than_is_kept_in_words() -> None:
    approved = Approved()
    approved.take(2.0, 4)
    what = [(f"tool-{n}", f"/srv/{n % 3}/a.csv") for n in range(MAX_TOOLS_WITH_GROUPS)]
    assert len(what) > MAX_BEYOND
    assert not any(meet(approved, *one) for one in what)
    approved = Approved.load(ormsgpack.unpackb(ormsgpack.packb(approved.dump())))
    approved.approve("alice", 3.0)
    assert all(meet(approved, *one) for one in what)
    assert not meet(approved, "tool-0", "/etc/passwd")


def test_what_was_stored_without_the_tools_is_counted_on() -> None:
    approved = Approved()
    approved.take(2.0, 4)
    meet(approved, "wire")
    *others, counted = approved.dump()
    again = Approved.load([*others, [key for key, _ in counted]])
    meet(again, "wire")
    assert again.breadth == approved.breadth == 3, "the tool, its verb and its effect"


def test_a_tool_that_explores_is_approved_for_any_target() -> None:
    approved = Approved()
    for number in range(MAX_GROUPS + 1):
        meet(approved, "crawl", f"https://site-{number}.example/")
    approved.take(2.0, 4)
    assert meet(approved, "crawl", "https://never-seen.example/")
    assert approved.breadth == 0


def test_groups_are_words_that_a_person_understands() -> None:
    assert group_of("ORDER-1042") == group_of("ORDER-7")
    assert group_of("customers") == "customers"
    assert group_of("x" * 2000) == "x" * 2000, "a name; cut where it is kept"


@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=30), st.booleans())))
def test_it_is_bounded_and_dump_and_load_go_on_alike(calls: list[tuple[str, str, bool]]) -> None:
    def play(approved: Approved) -> None:
        for number, (tool, target, learn) in enumerate(calls):
            meet(approved, tool, target, run=number, learn=learn)

    approved = Approved()
    play(approved)
    again = Approved.load(ormsgpack.unpackb(ormsgpack.packb(approved.dump())))
    assert again.dump() == approved.dump()
    for one in (approved, again):
        one.take(5.0, 4)
        play(one)
        one.approve("bob", 6.0)
    assert again.dump() == approved.dump()


def test_a_flood_leaves_it_small() -> None:
    approved = Approved()
    approved.take(1.0, 4)
    for number in range(5000):
        meet(approved, f"tool-{number}" + "y" * 900, f"t{'x' * 900}{number}", run=number)
    assert len(approved.beyond) == MAX_BEYOND
    assert len(ormsgpack.packb(approved.dump())) < 50_000
    approved = Approved()
    for number in range(20_000):
        meet(approved, f"tool-{number % 900}", f"https://h{number}.example", run=number)
    assert len(ormsgpack.packb(approved.dump())) < 150_000
