import ormsgpack
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.profile import Profile
from detectors.budget import SHARES, Budget
from detectors.finding import Anomaly
from detectors.limits import Limits
from detectors.shard import Policy, Shard
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


@settings(max_examples=40)
@given(steps, st.integers(0, 120))
def test_saved_and_loaded_at_any_point_it_finds_the_same(some: list[Step], cut: int) -> None:
    whole = [a.anomaly_id for a in play(Shard("log", 0, POLICY), some)]
    before, after = some[:cut], some[cut:]
    first = Shard("log", 0, POLICY)
    found = [a.anomaly_id for a in play(first, before)]
    second = Shard("log", 0, POLICY)
    second.admit(
        Profile.load(ormsgpack.unpackb(ormsgpack.packb(profile.dump())), POLICY.rules)
        for profile in first.profiles.values()
    )
    at_s = START_S + sum(step[3] for step in before)
    found += [a.anomaly_id for a in play(second, after, first=len(before), at_s=at_s)]
    assert list(dict.fromkeys(found)) == whole


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


def test_one_agents_terms_never_excuse_anothers() -> None:
    one = Shard("log", 0, POLICY)
    play(one, [("a", "send", "x", 60, 1)] * 50)
    assert (
        "send"
        not in Shard("log", 0, POLICY).profiles.get("b", Profile("b", POLICY.rules)).tools.known
    )
    play(one, [("b", "read", "x", 60, 1)])
    assert set(one.profiles["b"].tools.known) == {"read"}


def test_the_least_recent_profiles_leave_memory() -> None:
    one = Shard("log", 0, POLICY)
    for number in range(10):
        raw = raw_event(number, START_S + number, agent_id=f"agent-{number}")
        one.feed(event(number, START_S + number, agent_id=f"agent-{number}"), raw, number)
    one.forget_beyond(3)
    assert set(one.profiles) == {"agent-7", "agent-8", "agent-9"}


def test_the_budget_is_spent_once() -> None:
    assert sum(SHARES.values()) == 1.0
