"""A finding: what one detector saw in one event. An anomaly: a finding with its evidence."""

import hashlib
import math
import sys
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from baselines.event import ActionEvent
from baselines.hold import Hold

BREACHES: Final = frozenset(("boundary", "containment"))
"""Detectors of what nobody may do: cross a declared boundary, or act although cut off."""
CONTRACT_VERSION: Final = 1
"""Part of every anomaly id: ids of two contract versions never meet."""

Calibration = Literal["declared", "calibrated", "uncalibrated"]
"""`declared`: a rule that a person wrote, no learning; `uncalibrated`: must not trip by itself."""


class Severity(IntEnum):
    """How bad it is if it is true. Ordered, so that `max` is the worse one."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def label(self) -> str:
        """The lower-case word that people, configs and JSON use."""
        return self.name.lower()

    @classmethod
    def parse(cls, value: Any) -> "Severity":
        """Take a `Severity` or its label.

        Raises
        ------
        ValueError
            If there is no such severity.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, str) and value.upper() in cls.__members__:
            return cls[value.upper()]
        raise ValueError(f"severity is one of {', '.join(s.label for s in cls)}, not {value!r}")


SeverityField = Annotated[
    Severity, BeforeValidator(Severity.parse), PlainSerializer(lambda s: s.label, return_type=str)
]


def _finite(value: Any) -> Any:
    """The nearest number that JSON has: an anomaly that cannot be read again would be lost."""
    if isinstance(value, float) and not math.isfinite(value):
        return 0.0 if math.isnan(value) else math.copysign(sys.float_info.max, value)
    return value


FiniteField = Annotated[float, BeforeValidator(_finite)]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one detector says of one event.

    Parameters
    ----------
    detector
        Name of the detector, such as `new_target`.
    subject
        What exactly is odd; with agent, detector and `episode` it makes the anomaly's id.
    episode
        `trace_id` for detectors that look at runs, else the start of the window.
    observed, expected, threshold
        In `unit`; up to `threshold` it would not have fired.
    p_value
        How often the agent's own past gives something as odd; None for declared rules.
    text
        One sentence that a person understands at 3 a.m.
    hold
        What must not be learned from the event because of this.
    evidence
        Short sentences: what was seen, and what is usual.
    history
        What `observed` was before, oldest first, itself last; for a small plot. May be empty.
    shadow
        It would have alarmed if its rule were armed: shown, never sent, never a reason to trip.
    repeat
        It tells again what was told and has not become known since: the same story goes on.
    """

    detector: str
    subject: str
    episode: str
    observed: float
    expected: float
    unit: str
    threshold: float
    p_value: float | None
    calibration: Calibration
    severity: Severity
    text: str
    hold: Hold | None = None
    evidence: tuple[str, ...] = ()
    history: tuple[float, ...] = ()
    shadow: bool = False
    repeat: bool = False


class Anomaly(BaseModel):
    """A finding with the event that raised it and that event's place in the log."""

    model_config = ConfigDict(frozen=True)

    anomaly_id: str
    agent_id: str
    role: str | None
    agent_version: str | None
    trace_id: str | None
    parent_agent_id: str | None = None
    user_id: str | None = None
    event_id: str
    time: datetime
    detector: str
    subject: str = ""
    """What exactly is odd, as the detector names it."""
    severity: SeverityField
    p_value: FiniteField | None
    calibration: Calibration
    observed: FiniteField
    expected: FiniteField
    unit: str
    threshold: FiniteField
    text: str
    evidence: tuple[str, ...] = ()
    history: tuple[FiniteField, ...] = ()
    shadow: bool = False
    repeat: bool = False
    """The same was told before and has not become known since."""
    held: str | None = None
    """What is not learned from the event because of this, as `Hold.what` names it."""
    action: str
    tool: str | None
    target: str | None
    target_origin: str | None = None
    target_source: str | None = None
    effect: str
    data_class: str | None
    source: str
    partition: int
    offset: int

    @property
    def is_breach(self) -> bool:
        """Whether it tells of something that nobody may do: that is told whatever else holds."""
        return self.detector in BREACHES

    @classmethod
    def of(
        cls,
        finding: Finding,
        event: ActionEvent,
        effect: str,
        place: tuple[str, int, int],
        role: str | None = None,
    ) -> "Anomaly":
        """The anomaly that a finding in an event is.

        Parameters
        ----------
        finding, event
            What is odd, in what.
        effect
            What the action does to the world.
        place
            The event's place in the log: source, partition, offset.
        role
            The agent's, where the event does not say it.
        """
        source, partition, offset = place
        return cls(
            anomaly_id=anomaly_id(
                event.agent_id, finding.detector, finding.subject, finding.episode
            ),
            agent_id=event.agent_id,
            role=event.role or role,
            agent_version=event.agent_version,
            trace_id=event.trace_id,
            parent_agent_id=event.parent_agent_id,
            user_id=event.user_id,
            event_id=event.event_id,
            time=event.time,
            detector=finding.detector,
            subject=finding.subject,
            severity=finding.severity,
            p_value=finding.p_value,
            calibration=finding.calibration,
            observed=finding.observed,
            expected=finding.expected,
            unit=finding.unit,
            threshold=finding.threshold,
            text=finding.text,
            evidence=finding.evidence,
            history=finding.history,
            shadow=finding.shadow,
            repeat=finding.repeat,
            held=finding.hold.what if finding.hold else None,
            action=event.action,
            tool=event.tool,
            target=event.target,
            target_origin=event.target_origin,
            target_source=event.target_source,
            effect=effect,
            data_class=event.data_class,
            source=source,
            partition=partition,
            offset=offset,
        )


def anomaly_id(agent_id: str, detector: str, subject: str, episode: str) -> str:
    """Deterministic id: a replay of the same log makes it again.

    Every part is length-prefixed, so that no choice of names by an attacker can make the parts
    of one anomaly read as those of another.
    """
    digest = hashlib.sha256()
    for part in (str(CONTRACT_VERSION), agent_id, detector, subject, episode):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.hexdigest()[:20]
