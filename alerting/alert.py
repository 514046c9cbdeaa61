"""An alert: all that is odd about one agent at present, told as one story."""

import hashlib
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from detectors.finding import Anomaly, SeverityField

AlertState = Literal["open", "acknowledged", "resolved", "expected"]
Charge = Literal["free", "charged", "capped"]
"""Against the fleet's cap: not charged to it; charged, and sent; beyond it, and not sent."""
OPEN_STATES: frozenset[AlertState] = frozenset(("open", "acknowledged"))
QUIET: Final = "quiet"
"""Who resolves what no further anomaly joins."""


class Alert(BaseModel):
    """One open alert per agent gathers the agent's anomalies; its severity only rises.

    `worst` is the anomaly that speaks for the alert: the first of the highest severity.

    Attributes
    ----------
    muted_by
        The mute that keeps it back.
    inhibited_by
        What explains it, in words, and so keeps it back.
    """

    model_config = ConfigDict(frozen=True)

    alert_id: str
    incident_id: str = ""
    agent_id: str
    role: str | None
    state: AlertState = "open"
    severity: SeverityField
    opened_at: datetime
    last_anomaly_at: datetime
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    resolved_reason: str | None = None
    anomaly_count: int
    detectors: tuple[str, ...]
    worst: Anomaly
    calibrated: bool
    """Whether at least one anomaly is more than an uncalibrated finding."""
    charge: Charge = "free"
    muted_by: str | None = None
    inhibited_by: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether anything that is odd about the agent joins it."""
        return self.state in OPEN_STATES

    @property
    def is_hidden(self) -> bool:
        """Whether a mute, or what explains it, keeps it back."""
        return self.muted_by is not None or self.inhibited_by is not None

    @property
    def is_told(self) -> bool:
        """Whether people are to hear of it."""
        return self.charge != "capped" and not self.is_hidden


def alert_id(first_anomaly_id: str) -> str:
    """Deterministic id of the alert that a given anomaly opens."""
    return hashlib.sha256(f"alert/{first_anomaly_id}".encode()).hexdigest()[:12]
