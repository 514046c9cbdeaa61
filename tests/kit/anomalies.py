"""Anomalies for tests, from a few keyword arguments."""

from datetime import UTC, datetime
from typing import Any

from detectors.finding import Anomaly, Severity
from tests.kit.events import START_S

NOW = datetime.fromtimestamp(START_S, UTC)


def anomaly(name: str = "a1", **fields: Any) -> Anomaly:
    """One anomaly of payroll-1, declared and high unless said otherwise."""
    values: dict[str, Any] = {
        "anomaly_id": name,
        "agent_id": "payroll-1",
        "role": "payroll",
        "agent_version": None,
        "trace_id": "t1",
        "event_id": f"e-{name}",
        "time": NOW,
        "detector": "boundary",
        "severity": Severity.HIGH,
        "p_value": None,
        "calibration": "declared",
        "observed": 1.0,
        "expected": 0.0,
        "unit": "actions",
        "threshold": 0.0,
        "text": f"did {name}",
        "action": "tool_call",
        "tool": "send_email",
        "target": "mallory@example.net",
        "effect": "external",
        "data_class": None,
        "source": "log",
        "partition": 0,
        "offset": 7,
    }
    return Anomaly(**{**values, **fields})
