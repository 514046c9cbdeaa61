import contextlib
from typing import Any

import ormsgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.effect import EffectMap
from baselines.hold import Hold
from baselines.observation import Observation
from baselines.profile import Profile, ProfileError, Rules
from baselines.recent import REMEMBERED_EVENTS
from detectors.surprise import Surprise
from tests.fuzz.target import damaged
from tests.kit.events import START_S, event, raw_event

SURPRISE = Surprise()


def feed(profile: Profile, number: int, time_s: float, *holds: Hold, **fields: Any) -> Observation:
    """Judge and learn one event; hold these."""
    seen = event(number, time_s, **fields)
    observed = profile.observe(seen, EffectMap())
    SURPRISE.judge(observed)
    profile.learn(observed, holds)
    return observed


def test_a_repeat_and_a_changed_event_are_told_apart() -> None:
    profile = Profile("payroll-1", Rules())
    one, other = raw_event(1), raw_event(1, tool="other")
    assert profile.recall("e1", one) == "new"
    assert profile.recall("e1", one) == "repeat"
    assert profile.recall("e1", other) == "changed"
    for number in range(REMEMBERED_EVENTS):
        profile.recall(f"x{number}", b"")
    assert profile.recall("e1", one) == "new", "beyond the stated bound"


def test_a_streak_is_counted_within_its_run() -> None:
    profile = Profile("payroll-1", Rules())
    for number in range(3):
        feed(profile, number, START_S, trace_id="a")
        feed(profile, 100 + number, START_S, trace_id="b", tool="other")
    seen = event(9, START_S, trace_id="a")
    assert profile.observe(seen, EffectMap()).streak == 4


def test_what_was_alarmed_on_is_not_learned() -> None:
    profile = Profile("payroll-1", Rules())
    feed(profile, 1, START_S, trace_id="usual")
    feed(profile, 2, START_S, Hold("run"), tool="wire", target="mallory", trace_id="odd")
    feed(profile, 3, START_S, target="elsewhere", trace_id="odd")
    assert not profile.tools.known, "a run is learned when it is over"
    feed(profile, 4, START_S + 7200, trace_id="later")
    assert set(profile.tools.known) == {"read_ledger"}
    assert "wire" in profile.tools.held
    assert set(profile.targets["read_ledger"].known) == {"account-1"}
    assert "elsewhere" in profile.targets["read_ledger"].held, "the whole run waits"
    assert "mallory" in profile.targets["wire"].held


def test_it_is_bounded_whatever_the_agent_does() -> None:
    profile = Profile("payroll-1", Rules())
    for number in range(20_000):
        tool, target = f"tool-{number % 700}", f"target-{number}"
        feed(profile, number, START_S + number, tool=tool, target=target, trace_id=f"t{number}")
    size = len(ormsgpack.packb(profile.dump()))
    for number in range(20_000, 25_000):
        tool, target = f"tool-{number % 900}", f"target-{number}"
        feed(profile, number, START_S + number, tool=tool, target=target, trace_id=f"t{number}")
    assert len(ormsgpack.packb(profile.dump())) < 1.5 * size + 10_000
    assert len(profile.targets) <= 128


calls = st.tuples(
    st.integers(0, 40_000),
    st.sampled_from(["read", "send", "wire"]),
    st.sampled_from([None, "x", "y", "z"]),
    st.sampled_from(["t1", "t2", None]),
    st.integers(0, 2**53),
    st.sampled_from(["ok", "error"]),
    st.sampled_from([(), (Hold("run"),), (Hold("run"), Hold("window", 0, 1)), (Hold("streak"),)]),
)


@settings(max_examples=50)
@given(st.lists(calls, max_size=60), st.lists(calls, min_size=1, max_size=10))
def test_dump_and_load_go_on_exactly_alike(before: list[Any], after: list[Any]) -> None:
    def play(profile: Profile, some: list[Any]) -> list[Any]:
        told = []
        for number, (at, tool, target, trace, size, status, holds) in enumerate(some):
            seen = feed(profile, number, START_S + at, *holds, tool=tool, target=target,
                        trace_id=trace, bytes_out=size, status=status)  # fmt: skip
            told.append((seen.scores, seen.streak, seen.turns, seen.over_limit))
        return told

    profile = Profile("payroll-1", Rules())
    play(profile, before)
    again = Profile.load(ormsgpack.unpackb(ormsgpack.packb(profile.dump())), Rules())
    assert again.dump() == profile.dump()
    assert play(again, after) == play(profile, after)
    assert again.dump() == profile.dump()


def test_another_version_is_refused_by_name() -> None:
    data = Profile("payroll-1", Rules()).dump()
    with pytest.raises(ProfileError, match="profile format 99; this version reads 4"):
        Profile.load([99, *data[1:]], Rules())


def learned() -> Profile:
    profile = Profile("payroll-1", Rules())
    feed(profile, 1, START_S)
    return profile


@given(damaged(ormsgpack.unpackb(ormsgpack.packb(learned().dump()))))
def test_damaged_data_is_a_profile_error_never_a_crash(data: Any) -> None:
    with contextlib.suppress(ProfileError):
        Profile.load(data, Rules())
