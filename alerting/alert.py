"""An alert: all that is odd about one agent at present, told as one story."""

import hashlib
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from detectors.finding import Anomaly, SeverityField

AlertState = Literal["open", "acknowledged", "resolved", "expected"]
Charge = Literal["free", "charged", "capped"]
"""Against the fleet's cap: not charged to it; charged, and sent; beyond it, and not sent."""
OPEN_STATES: frozenset[AlertState] = frozenset(("open", "acknowledged"))


class Alert(BaseModel):
    """One open alert per agent gathers the agent's anomalies; its severity only rises.

    `worst` is the anomaly that speaks for the alert: the first of the highest severity.
    """

    model_config = ConfigDict(frozen=True)

    alert_id: str
    agent_id: str
    role: str | None
    state: AlertState = "open"
    severity: SeverityField
    opened_at: datetime
    last_anomaly_at: datetime
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    resolved_reason: str | None = None
    anomaly_count: int
    detectors: tuple[str, ...]
    worst: Anomaly
    calibrated: bool
    """Whether at least one anomaly is more than an uncalibrated finding."""
    charge: Charge = "free"


def alert_id(first_anomaly_id: str) -> str:
    """Deterministic id of the alert that a given anomaly opens."""
    return hashlib.sha256(f"alert/{first_anomaly_id}".encode()).hexdigest()[:12]
