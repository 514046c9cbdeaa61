"""What is packed is made anew exactly; what is damaged is refused as no profile, whatever it is."""

from typing import Any

import ormsgpack
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from baselines.cohort import Cohort
from baselines.effect import EffectMap
from baselines.packed import MAX_BYTES, pack, unpack
from baselines.profile import Profile, ProfileError, Rules
from detectors.surprise import Surprise
from tests.kit.clerk import HOUR_S
from tests.kit.events import START_S, event, quick_event


def learned() -> Profile:
    profile = Profile("payroll-1", Rules())
    for number in range(40):
        profile.recall(f"event-{number}", b"")
        profile.windows[0].open(START_S + number * HOUR_S)
        profile.first_seen_s = event(number, START_S).time_s
    return profile


PROFILE = learned()
PACKED = pack(PROFILE).body


def test_it_is_the_same_again_and_so_is_plain_data() -> None:
    assert unpack(PACKED, Rules()).dump() == PROFILE.dump()
    assert unpack(ormsgpack.packb(PROFILE.dump()), Rules()).dump() == PROFILE.dump()
    assert len(PACKED) < len(ormsgpack.packb(PROFILE.dump())) / 3


def long(what: str) -> str:
    """A text as long as an event may have one, in the characters that take most bytes."""
    return what + "\N{MATHEMATICAL DOUBLE-STRUCK CAPITAL X}" * (1024 - len(what))


def test_one_that_does_its_worst_to_be_large_is_still_taken() -> None:
    profile, cohort, at_s = Profile("payroll-1", Rules()), Cohort(), START_S
    for number in range(6_000):
        run = number // 100
        at_s += 4000 if run < 40 and number % 100 == 0 else 1  # the last runs stay open
        texts = {
            "trace_id": long(f"run {run} {'open' * (run >= 40)}{number % 16 * (run >= 40)}"),
            "tool": long(f"tool {number * 7919 % 400}"),
            "target": long(f"/folder {number}/file"),
            "target_source": long(f"source {number}"),
            "parent_agent_id": long(f"parent {number}"),
            "user_id": long(f"user {number}"),
        }
        others = {"event_id": f"{number}", "agent_id": "payroll-1", "action": "call"}
        others |= {"target_origin": "tool", "data_class": "restricted", "effect": "read"}
        seen = profile.observe(quick_event(at_s, texts | others), EffectMap(), cohort)
        Surprise().judge(seen)
        profile.learn(seen)
    assert MAX_BYTES / 10 < len(ormsgpack.packb(profile.dump())) < MAX_BYTES
    assert len(ormsgpack.packb(cohort.dump())) < MAX_BYTES
    again = unpack(pack(profile).body, Rules())
    assert again.dump() == profile.dump()


def test_an_hour_may_hold_more_bytes_than_a_whole_number_has_room_for() -> None:
    profile = Profile("payroll-1", Rules())
    for number in range(2_100):
        fields: dict[str, Any] = {"bytes_out": 2**53, "bytes_in": 2**53, "records": 2**53}
        fields |= {"event_id": f"{number}", "agent_id": "payroll-1", "action": "call"}
        profile.learn(profile.observe(quick_event(START_S, fields), EffectMap()))
    assert unpack(pack(profile).body, Rules()).dump() == profile.dump()


@given(st.integers(0, len(PACKED) - 1), st.integers(1, 255), st.integers(0, len(PACKED)))
def test_damage_is_refused(at: int, change: int, end: int) -> None:
    damaged = bytearray(PACKED)
    damaged[at] ^= change
    for body in (bytes(damaged), PACKED[:end]):
        try:
            unpack(body, Rules()).dump()
        except ProfileError:
            continue


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (zstandard.compress(b"\xff" * (MAX_BYTES + 1)), "8388609 bytes unpacked"),
        (zstandard.FRAME_HEADER, "cannot be unpacked"),
        (zstandard.compress(b"\xc1"), "cannot be unpacked"),
        (zstandard.compress(ormsgpack.packb([1, {}])), "profile format 1"),
        (b"", "cannot be unpacked"),
    ],
)
def test_what_is_no_profile_says_why(body: bytes, why: str) -> None:
    with pytest.raises(ProfileError, match=why):
        unpack(body, Rules())
