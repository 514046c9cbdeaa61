"""Inhibition: what is known to be wrong explains what follows from it. Pure.

An agent that is cut off fails at everything that it tries; where a source lags, agents look
silent; a detector that is broken finds whatever it finds. None of that needs telling again. An
agent that acts although it is cut off is told whatever else is wrong, and so is a breach of a
declared boundary, unless the agent is cut off for it already.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from alerting.health import Condition
from detectors.finding import Anomaly

OF_ABSENCE: Final = frozenset(("silence", "rhythm"))
"""Detectors of what did not come, or came at another time: what ails a source brings it about."""

Ails = Literal["agent", "source", "detector"]

_AILS: Final[Mapping[str, Ails]] = {
    "stalled": "source",
    "lag": "source",
    "quiet": "source",
    "clock_skew": "source",
    "detector": "detector",
}
"""By kind of a condition: what its subject is."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that is known to be wrong.

    Parameters
    ----------
    ails
        What is wrong: an agent that is cut off, a source that lags, stalls or whose producers'
        clocks differ, or a detector that is broken.
    names
        Which: the agent's id, the source's name, what the detector's findings are called.
    words
        For people.
    """

    ails: Ails
    names: frozenset[str]
    words: str

    def explains(self, anomaly: Anomaly) -> bool:
        """Whether the anomaly follows from it."""
        if anomaly.detector == "containment":
            return False
        if self.ails == "agent":
            return anomaly.agent_id in self.names
        if anomaly.is_breach:
            return False
        if self.ails == "detector":
            return anomaly.detector in self.names
        return anomaly.source in self.names and anomaly.detector in OF_ABSENCE


def inhibited(anomaly: Anomaly, causes: Iterable[Cause]) -> Cause | None:
    """The first cause that explains the anomaly, if any."""
    return next((one for one in causes if one.explains(anomaly)), None)


def of_trip(agent_id: str, trip_id: str | None) -> Cause:
    """An agent that is cut off explains what it does meanwhile."""
    return Cause("agent", frozenset((agent_id,)), f"trip {trip_id} has cut the agent off")


def of_health(conditions: Iterable[Condition]) -> list[Cause]:
    """What of the monitor's own troubles may explain what is found."""
    return [
        Cause(_AILS[one.kind], _named(one), f"{one.kind.replace('_', ' ')}: {one.text}")
        for one in conditions
        if one.kind in _AILS
    ]


def _named(condition: Condition) -> frozenset[str]:
    """What its subject names: a detector's lists what its findings are called."""
    if _AILS[condition.kind] == "detector":
        return frozenset(condition.subject.split(", "))
    return frozenset((condition.subject,))
