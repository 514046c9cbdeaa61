"""What people are told about a trip, in plain text; receivers escape it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from alerting.message import Message, MessageKind
from detectors.finding import Severity

_SEVERITY: Final[dict[MessageKind, Severity]] = {
    "trip_ordered": Severity.CRITICAL,
    "trip_partial": Severity.CRITICAL,
    "trip_effective": Severity.CRITICAL,
    "trip_contained": Severity.HIGH,
    "trip_silent": Severity.MEDIUM,
    "restored": Severity.MEDIUM,
}


def trip_message(
    kind: MessageKind,
    agent_id: str,
    trip_id: str,
    headline: str,
    at_s: float,
    details: Mapping[str, str | None],
) -> Message:
    """A message about a trip.

    Parameters
    ----------
    headline
        What happened to the agent, to be read after its name: `is cut off`.
    at_s
        When, in seconds since the epoch.
    details
        Label to value; what is None is left out.
    """
    return Message(
        kind=kind,
        agent_id=agent_id,
        at=datetime.fromtimestamp(at_s, UTC),
        severity=_SEVERITY[kind],
        headline=f"{agent_id} {headline}",
        details=tuple((label, value) for label, value in details.items() if value is not None),
        trip_id=trip_id,
    )
