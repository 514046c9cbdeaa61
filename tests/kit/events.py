"""Events for tests, from a few keyword arguments."""

import json
from datetime import UTC, datetime
from typing import Any, Final

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


_TEMPLATE: Final = {name: field.default for name, field in ActionEvent.model_fields.items()}
_FIELDS: Final = set(_TEMPLATE)


def quick_event(time_s: float, fields: dict[str, Any]) -> ActionEvent:
    """The event that `ActionEvent.parse` makes of these fields, without parsing: ten times as fast.

    For millions of generated events. Nothing is validated; the caller gives fields that fit.
    """
    time = datetime.fromtimestamp(time_s, UTC)
    values = _TEMPLATE | fields
    values["time"], values["time_s"] = time, time.timestamp()
    made = ActionEvent.__new__(ActionEvent)
    object.__setattr__(made, "__dict__", values)
    object.__setattr__(made, "__pydantic_fields_set__", _FIELDS)
    object.__setattr__(made, "__pydantic_extra__", None)
    object.__setattr__(made, "__pydantic_private__", None)
    return made
