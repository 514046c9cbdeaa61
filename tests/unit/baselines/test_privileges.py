from typing import Any

import ormsgpack
from hypothesis import given
from hypothesis import strategies as st

from baselines.privileges import MAX_HELD, Privileges
from tests.kit.events import START_S, event

DAY_S = 86_400.0


def take(privileges: Privileges, action: str, scope: str, at_s: float, **fields: Any) -> None:
    taken = event(1, START_S + at_s, action=action, tool=None, target=scope, **fields)
    privileges.take(taken, 4, DAY_S)


def test_a_grant_is_held_from_its_request_to_its_release() -> None:
    privileges = Privileges()
    take(privileges, "grant_request", "db:admin", 0)
    take(privileges, "grant_request", "db:write", 10, status="denied")
    take(privileges, "grant_request", "db:admin", 50)
    assert {scope: grant.since_s for scope, grant in privileges.held.items()} == {
        "db:admin": START_S
    }, "a refusal gives nothing, and asking again does not stop the clock"
    take(privileges, "grant_release", "db:admin", 60)
    assert not privileges.held


def test_twice_the_longest_time_is_usual() -> None:
    privileges = Privileges()
    for number in range(3):
        take(privileges, "elevate", "a", number * 10 * DAY_S)
        take(privileges, "release", "a", number * 10 * DAY_S + 2 * DAY_S)
    take(privileges, "elevate", "a", 100 * DAY_S)
    assert not privileges.overdue(START_S + 103.9 * DAY_S, DAY_S)
    assert [s for s, _ in privileges.overdue(START_S + 104.1 * DAY_S, DAY_S)] == ["a"]


def test_late_grants_become_usual_after_several_over_some_time() -> None:
    privileges = Privileges()
    for number in range(4):
        assert privileges.usual_s == 0
        take(privileges, "elevate", "a", number * 10 * DAY_S)
        privileges.alarmed_overdue("a")
        take(privileges, "release", "a", number * 10 * DAY_S + 3 * DAY_S)
    assert privileges.usual_s == 6 * DAY_S


acts = st.tuples(
    st.sampled_from(["grant_request", "grant_release", "elevate", "revoke"]),
    st.sampled_from(["a", "b", "c", "d"]),
    st.integers(0, 30),
    st.sampled_from(["ok", "denied"]),
)


@given(st.lists(acts, max_size=60), st.lists(acts, max_size=20))
def test_dump_and_load_go_on_alike(before: list[Any], after: list[Any]) -> None:
    def play(privileges: Privileges, some: list[Any]) -> None:
        for action, scope, days, status in some:
            take(privileges, action, scope, days * DAY_S, status=status)
            for late, _ in privileges.overdue(START_S + days * DAY_S, DAY_S):
                privileges.alarmed_overdue(late)

    privileges = Privileges()
    play(privileges, before)
    again = Privileges.load(ormsgpack.unpackb(ormsgpack.packb(privileges.dump())))
    play(privileges, after)
    play(again, after)
    assert again.dump() == privileges.dump()
    assert (again.oldest_s, again.usual_s) == (privileges.oldest_s, privileges.usual_s)


def test_it_is_bounded() -> None:
    privileges = Privileges()
    for number in range(500):
        take(privileges, "grant_request", f"scope-{number}" + "x" * 900, number)
    assert len(privileges.held) == MAX_HELD
    assert len(ormsgpack.packb(privileges.dump())) < 25_000
