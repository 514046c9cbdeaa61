"""Events for tests, from a few keyword arguments."""

import json
from datetime import UTC, datetime
from typing import Any

from baselines.event import ActionEvent

START_S = 1_770_000_000.0
"""An arbitrary moment, early in a minute and an hour: 2026-02-02T02:40:00Z."""


def raw_event(number: int, time_s: float = START_S, **fields: Any) -> bytes:
    """One event as a producer would send it; a field given as None is left out."""
    document = {
        "event_id": f"e{number}",
        "time": datetime.fromtimestamp(time_s, UTC).isoformat(),
        "agent_id": "payroll-1",
        "action": "tool_call",
        "tool": "read_ledger",
        "target": "account-1",
        "trace_id": f"t{number}",
        **fields,
    }
    return json.dumps({k: v for k, v in document.items() if v is not None}).encode()


def event(number: int, time_s: float = START_S, **fields: Any) -> ActionEvent:
    """The same, parsed."""
    return ActionEvent.parse(raw_event(number, time_s, **fields))
