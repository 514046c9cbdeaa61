"""The last act of an agent: what is left of its last event, for when it is missed."""

from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, Final

from baselines.event import ActionEvent

LastAct = tuple[int, float, tuple[Any, ...]]
"""Offset in the partition, time in seconds since the epoch, and the values of `KEPT`.

A plain tuple: one is made for each event.
"""

KEPT: Final = ("event_id", "action", "tool", "target", "effect", "trace_id", "data_class")
"""The fields of an event that are kept; all of them are bounded."""
_values: Final = itemgetter(*KEPT)


def keep(event: ActionEvent, offset: int) -> LastAct:
    """What is kept of an event."""
    return offset, event.time_s, _values(event.__dict__)


def dump(act: LastAct | None) -> list[Any] | None:
    """Plain data; `load` makes the same of it."""
    return act and [*act[:2], list(act[2])]


def load(data: list[Any] | None) -> LastAct | None:
    """Undo `dump`."""
    if data is None:
        return None
    offset, time_s, values = data
    if len(values) != len(KEPT):
        raise ValueError(f"an act has {len(KEPT)} fields")
    return offset, time_s, tuple(values)


def recall(act: LastAct, agent_id: str, role: str | None, agent_version: str | None) -> ActionEvent:
    """The event, as far as it was kept."""
    _, time_s, values = act
    return ActionEvent.model_construct(
        agent_id=agent_id,
        role=role,
        agent_version=agent_version,
        time=datetime.fromtimestamp(time_s, UTC),
        **dict(zip(KEPT, values, strict=True)),
    )
