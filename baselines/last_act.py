"""The last act of an agent: what is left of its last event, for when it is missed."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from baselines.event import ActionEvent, DataClass, Effect


class LastAct(NamedTuple):
    """What of an event says what the agent did last, and where that stands in the log.

    Attributes
    ----------
    time_s
        When, in seconds since the epoch.
    offset
        Its place in the partition.
    """

    time_s: float
    offset: int
    event_id: str
    action: str
    tool: str | None
    target: str | None
    effect: Effect | None
    trace_id: str | None
    data_class: DataClass | None

    @classmethod
    def of(cls, event: ActionEvent, offset: int) -> "LastAct":
        """What is kept of an event; bounded, as its fields are."""
        return cls(
            event.time_s,
            offset,
            event.event_id,
            event.action,
            event.tool,
            event.target,
            event.effect,
            event.trace_id,
            event.data_class,
        )

    def event(self, agent_id: str, role: str | None, agent_version: str | None) -> ActionEvent:
        """The event, as far as it was kept."""
        kept: dict[str, Any] = self._asdict()
        del kept["offset"]
        kept["time"] = datetime.fromtimestamp(kept.pop("time_s"), UTC)
        return ActionEvent.model_construct(
            agent_id=agent_id, role=role, agent_version=agent_version, **kept
        )
