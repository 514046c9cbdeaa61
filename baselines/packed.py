"""A packed profile: the same in a tenth of the memory; stored so, and held so at rest."""

import hashlib
from typing import Final, NamedTuple

import ormsgpack
import zstandard

from baselines.profile import Profile, ProfileError
from baselines.rules import Rules
from baselines.summary import Summary

MAX_BYTES: Final = 8 << 20
"""Of the plain data of a profile; all that it holds is bounded, so that none reaches it."""
_LEVEL: Final = 1
"""Higher ones take longer and save next to nothing: most of a profile is floats."""


class Packed(NamedTuple):
    """A packed profile, with what is asked for while it is.

    Attributes
    ----------
    body
        The whole profile.
    summary
        What a list of agents shows of it.
    due_s
        When the agent is missed, in event time; None if it never is.
    checksum
        Of the body.
    """

    body: bytes
    summary: Summary
    due_s: float | None
    checksum: bytes


def pack(profile: Profile) -> Packed:
    """The profile as bytes; `unpack` makes the same of them."""
    body = zstandard.compress(ormsgpack.packb(profile.dump()), _LEVEL)
    body = bytes(memoryview(body))  # a copy: what it returns keeps all the room that it worked in
    return Packed(body, profile.summary(), profile.due_s, checksum(body))


def checksum(body: bytes) -> bytes:
    """What a damaged body is told by."""
    return hashlib.blake2b(body, digest_size=8).digest()


def unpack(body: bytes, rules: Rules) -> Profile:
    """Undo `pack`; plain data that is not compressed, as it once was stored, is taken, too.

    Raises
    ------
    ProfileError
        If it is damaged, too large, or of another version.
    """
    try:
        if body.startswith(zstandard.FRAME_HEADER):
            size = zstandard.frame_content_size(body)
            if not 0 <= size <= MAX_BYTES:
                raise ProfileError(f"{size} bytes unpacked; at most {MAX_BYTES} are taken")
            body = zstandard.decompress(body)
        data = ormsgpack.unpackb(body)
    except (zstandard.ZstdError, ormsgpack.MsgpackDecodeError) as error:
        raise ProfileError(f"cannot be unpacked: {error}") from None
    return Profile.load(data, rules)
