"""Stored state, damaged so that its checksum fits: it is refused, or it is borne."""

import contextlib
from typing import Any, Final

import ormsgpack
from hypothesis import strategies as st

from baselines.cohort import Cohort
from baselines.packed import checksum
from baselines.profile import ProfileError
from detectors.budget import Budget
from detectors.shard import Policy, Shard
from detectors.silence import Silence
from monitor.store import shards
from tests.fuzz.target import Target, damaged, damaged_bytes
from tests.kit.events import START_S, event, raw_event

_REFUSALS: Final = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
"""What the store's loaders take for damage."""
_POLICY: Final = Policy.of(Budget())


def _shard() -> Shard:
    shard = Shard("topic", 0, _POLICY)
    for number in range(200):
        at_s = START_S + number * 400
        fields: dict[str, Any] = {
            "tool": f"tool-{number % 3}",
            "target": f"target-{number % 5}",
            "trace_id": f"run-{number // 3}",
            "role": "clerk",
            "bytes_out": number % 7,
            "status": "error" if number % 11 == 0 else "ok",
        }
        shard.feed(event(number, at_s, **fields), raw_event(number, at_s, **fields), number)
    return shard


_FED: Final = _shard()
(_PROFILE,) = _FED.profiles.values()
_COHORT: Final = next(cohort for _, cohort in _FED.cohorts.changed())
_WHOLE: Final = {
    "profile": _PROFILE.dump(),
    "cohort": _COHORT.dump(),
    "silence": _FED.silence.dump(),
}
_BODIES: Final = {what: ormsgpack.packb(data) for what, data in _WHOLE.items()}


def _packed(data: Any) -> bytes | None:
    try:
        return ormsgpack.packb(data)
    except ormsgpack.MsgpackEncodeError:
        return None  # no row can hold that


_ROWS: Final = st.one_of(
    *(
        st.tuples(
            st.just(what),
            damaged(ormsgpack.unpackb(body)).map(_packed) | damaged_bytes(body),
        )
        for what, body in _BODIES.items()
    )
)


def _check(row: tuple[str, bytes | None]) -> None:
    what, body = row
    if body is None:
        return
    if what == "profile":
        _check_profile(body)
        return
    with contextlib.suppress(*_REFUSALS):
        data = ormsgpack.unpackb(body)
        _ = Cohort.load(data) if what == "cohort" else Silence.load(data, [])


def _check_profile(body: bytes) -> None:
    try:
        profile = shards.read_profile("payroll-1", checksum(body), body, _POLICY.rules)
    except ProfileError:
        return
    shard = Shard("topic", 0, _POLICY)
    shard.admit([profile])
    for number in range(1000, 1003):
        at_s = START_S + number * 400
        with contextlib.suppress(Exception):  # the worker notes it, tells it, and goes on
            shard.feed(event(number, at_s), raw_event(number, at_s), number)


STATE: Final = Target("state", _ROWS, _check)
