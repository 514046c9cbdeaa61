from functools import cache
from typing import Any

import ormsgpack
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.cohort import Cohort
from baselines.profile import Profile
from detectors.budget import Budget
from detectors.finding import Anomaly
from detectors.limits import Limits
from detectors.policy import Policy
from detectors.shard import Shard
from detectors.silence import Silence
from tests.kit.clerk import HOUR_S
from tests.kit.events import START_S, event, raw_event

POLICY = Policy.of(Budget(500.0), limits=[Limits(tools=("read", "send"))])

Step = tuple[str, str, str | None, int, int]
steps = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from(["read", "send", "wire"]),
        st.sampled_from(["x", "y", None]),
        st.integers(0, 300),
        st.integers(0, 10**6),
    ),
    max_size=120,
)


def play(one: Shard, some: list[Step], first: int = 0, at_s: float = START_S) -> list[Anomaly]:
    found: list[Anomaly] = []
    for number, (agent, tool, target, wait, size) in enumerate(some, start=first):
        at_s += wait
        fields = {"agent_id": agent, "tool": tool, "target": target, "bytes_out": size}
        raw = raw_event(number, at_s, **fields)
        found += one.feed(event(number, at_s, **fields), raw, number)
    return found


def stored(one: Shard) -> Shard:
    """The shard that a restart makes of what a checkpoint of it holds."""
    profiles, cohorts, silence = ormsgpack.unpackb(
        ormsgpack.packb(
            [
                [profile.dump() for profile in one.profiles.values()],
                [[role, cohort.dump()] for role, cohort in one.cohorts.changed()],
                one.silence.dump(),
            ]
        )
    )
    other = Shard(one.source, one.partition, one.policy)
    other.admit(Profile.load(profile, one.policy.rules) for profile in profiles)
    for role, cohort in cohorts:
        other.cohorts.admit(role, Cohort.load(cohort))
    due = [(p.due_s, p.agent_id) for p in other.profiles.values() if p.due_s is not None]
    other.silence = Silence.load(silence, due)
    return other


@settings(max_examples=40)
@given(steps, st.integers(0, 120))
def test_saved_and_loaded_at_any_point_it_finds_the_same(some: list[Step], cut: int) -> None:
    whole = [a.anomaly_id for a in play(Shard("log", 0, POLICY), some)]
    before, after = some[:cut], some[cut:]
    first = Shard("log", 0, POLICY)
    found = [a.anomaly_id for a in play(first, before)]
    at_s = START_S + sum(step[3] for step in before)
    found += [a.anomaly_id for a in play(stored(first), after, first=len(before), at_s=at_s)]
    assert list(dict.fromkeys(found)) == whole


@cache
def peers() -> Shard:
    """A shard with agents of one role, one of them calibrated, one that has just begun."""
    one = Shard("log", 0, Policy.of(Budget(50.0)))
    number = 0
    for run in range(200):
        for agent in ("veteran", "second", "novice")[: 3 if run > 170 else 2]:
            number += 1
            feed(one, number, START_S + run * HOUR_S, agent, f"page-{run % 5}", f"{agent}-{run}")
    return one


def feed(
    one: Shard, number: int, time_s: float, agent: str, target: str, run: str, **fields: Any
) -> list[Anomaly]:
    fields |= {"agent_id": agent, "role": "clerk", "target": target, "trace_id": run}
    return list(
        one.feed(event(number, time_s, **fields), raw_event(number, time_s, **fields), number)
    )


acts = st.lists(
    st.tuples(
        st.sampled_from(["veteran", "second", "novice", "newborn"]),
        st.sampled_from(["page-1", "page-9", "drop@mallory.example", "/srv/board/plan.txt"]),
        st.sampled_from(["read_ledger", "send_email", "delete_ledger", "search"]),
        st.sampled_from([None, "user", "tool", "model"]),
        st.sampled_from([5, 400, 2000, 30_000]),
        st.sampled_from(["1", "2"]),
    ),
    max_size=40,
)


@settings(max_examples=30, deadline=None)
@given(acts, st.integers(0, 40))
def test_with_peers_too_it_goes_on_exactly_alike(some: list[Any], cut: int) -> None:
    def go_on(one: Shard, part: list[Any], first: int) -> list[Anomaly]:
        found = []
        for number, (agent, target, tool, origin, _, version) in enumerate(part, start=first):
            at_s = START_S + 200 * HOUR_S + sum(act[4] for act in some[: number + 1])
            found += feed(one, 10_000 + number, at_s, agent, target, f"{agent}-{at_s // HOUR_S}",
                          tool=tool, target_origin=origin, agent_version=version)  # fmt: skip
        return found

    whole, halves = stored(peers()), stored(peers())
    expected = {a.anomaly_id: a for a in go_on(whole, some, 0)}
    found = go_on(halves, some[:cut], 0)
    again = stored(halves)
    again.cohorts.admit("clerk", Cohort.load(clerks(halves).dump()))
    found += go_on(again, some[cut:], cut)
    assert {a.anomaly_id: a for a in reversed(found)} == expected, "scores and words, too"
    assert {name: p.dump() for name, p in again.profiles.items()} == {
        name: p.dump() for name, p in whole.profiles.items()
    }
    assert clerks(again).dump() == clerks(whole).dump()


def clerks(one: Shard) -> Cohort:
    cohort = one.cohorts.of("clerk")
    assert cohort is not None
    return cohort


def test_a_new_agent_of_a_known_role_is_judged_by_its_peers() -> None:
    one = stored(peers())
    strange = {"tool": "send_email", "target_origin": "tool", "target_source": "browse"}
    at_s = START_S + 201 * HOUR_S
    (found,) = feed(one, 9000, at_s, "novice", "drop@mallory.example", "odd", **strange)
    assert found.calibration == "uncalibrated"
    fields = strange | {"role": None}
    fields |= {"target": "drop@mallory.example"}
    one = stored(peers())
    for agent_id, detectors in (("novice", ["new_tool"]), ("nobody's", [])):
        raw = raw_event(9000, at_s, agent_id=agent_id, **fields)
        judged = one.feed(event(9000, at_s, agent_id=agent_id, **fields), raw, 9000)
        assert [anomaly.detector for anomaly in judged] == detectors, "it may leave its role out"


def test_a_repeat_is_dropped_and_a_changed_event_is_scored() -> None:
    one = Shard("log", 0, POLICY)
    play(one, [("a", "read", "x", 0, 1)])
    play(one, [("a", "read", "x", 0, 1)])
    assert one.profiles["a"].events == 1
    play(one, [("a", "read", "y", 0, 1)])
    assert one.profiles["a"].events == 2
    assert (one.tally.repeats, one.tally.changed_ids) == (1, 1)


def test_a_late_event_is_scored_and_counted_as_late() -> None:
    one = Shard("log", 0, POLICY)
    play(one, [("a", "read", "x", 300, 1), ("a", "read", "x", -200, 1), ("a", "read", "y", 0, 1)])
    assert (one.tally.late, one.profiles["a"].events) == (2, 3)


@settings(max_examples=20)
@given(steps, st.sampled_from([-72 * HOUR_S, -90.0, 250.0]))
def test_a_clock_that_is_off_is_its_own_agents_matter(some: list[Step], skew_s: float) -> None:
    both, alone = Shard("log", 0, POLICY), Shard("log", 0, POLICY)
    found: list[str] = []
    expected: list[str] = []
    at_s = START_S
    for number, (agent, tool, target, wait, size) in enumerate(some):
        at_s += wait
        acted_s = at_s + skew_s if agent == "a" else at_s
        fields = {"agent_id": agent, "tool": tool, "target": target, "bytes_out": size}
        made, raw = event(number, acted_s, **fields), raw_event(number, acted_s, **fields)
        found += [one.anomaly_id for one in both.feed(made, raw, number) if one.agent_id == "b"]
        if agent == "b":
            expected += [one.anomaly_id for one in alone.feed(made, raw, number)]
    assert found == expected
    if (
        "b" in alone.profiles and skew_s < 0
    ):  # one ahead gives the others time before they are missed
        dumps = [ormsgpack.packb(one.profiles["b"].dump()) for one in (both, alone)]
        assert dumps[0] == dumps[1]


def test_one_agents_terms_never_excuse_anothers() -> None:
    one = Shard("log", 0, POLICY)
    play(one, [("a", "send", "x", 60, 1)] * 50)
    play(one, [("b", "read", "x", 60, 1), ("b", "read", "x", 7200, 1)], first=100)
    assert set(one.profiles["a"].tools.known) == {"send"}
    assert set(one.profiles["b"].tools.known) == {"read"}


def test_the_least_recent_profiles_leave_memory() -> None:
    one = Shard("log", 0, POLICY)
    for number in range(10):
        raw = raw_event(number, START_S + number, agent_id=f"agent-{number}")
        one.feed(event(number, START_S + number, agent_id=f"agent-{number}"), raw, number)
    one.forget_beyond(3)
    assert len(one.profiles) == 10, "none of them is saved"
    one.dirty = {"agent-0"}
    one.forget_beyond(4)
    assert set(one.profiles) == {"agent-0", "agent-7", "agent-8", "agent-9"}
    one.dirty.clear()
    one.forget_beyond(3)
    assert set(one.profiles) == {"agent-7", "agent-8", "agent-9"}
