"""What is packed is made anew exactly; what is damaged is refused as no profile, whatever it is."""

import ormsgpack
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from baselines.packed import MAX_BYTES, pack, unpack
from baselines.profile import Profile, ProfileError, Rules
from tests.kit.clerk import HOUR_S
from tests.kit.events import START_S, event


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
        (zstandard.compress(b"\xff" * (MAX_BYTES + 1)), "4194305 bytes unpacked"),
        (zstandard.FRAME_HEADER, "cannot be unpacked"),
        (zstandard.compress(b"\xc1"), "cannot be unpacked"),
        (zstandard.compress(ormsgpack.packb([1, {}])), "profile format 1"),
        (b"", "cannot be unpacked"),
    ],
)
def test_what_is_no_profile_says_why(body: bytes, why: str) -> None:
    with pytest.raises(ProfileError, match=why):
        unpack(body, Rules())
