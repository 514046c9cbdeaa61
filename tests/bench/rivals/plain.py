"""Rate, volume and novelty of an agent at their plainest: far less than the daemon does.

No seasons, no calibration, no quarantine, no evidence.
"""

from typing import Any, Final

from baselines.event import ActionEvent

WINDOW_S: Final = 60.0
ALPHA: Final = 0.05
LIMIT: Final = 6.0

Levels = dict[str, Any]


def parse(raw: bytes) -> ActionEvent | None:
    """The event, by the same model as everybody's; None of what is none."""
    try:
        return ActionEvent.model_validate_json(raw)
    except ValueError:
        return None


def levels() -> Levels:
    """Of an agent that was never seen."""
    return {"window": 0.0, "calls": 0, "bytes": 0, "rate": [0.0, 0.0], "volume": [0.0, 0.0]}


def observe(known: Levels, event: ActionEvent) -> bool:
    """Take an event in; tells whether the window that it closes was odd."""
    window = event.time_s // WINDOW_S
    odd = False
    if window > known["window"]:
        if known["window"]:
            odd = _odd(known["rate"], known["calls"])
            odd |= _odd(known["volume"], known["bytes"])
        known.update(window=window, calls=0, bytes=0)
    known["calls"] += 1
    known["bytes"] += event.bytes_out
    return odd


def terms(event: ActionEvent) -> tuple[str, str]:
    """What may be new: the tool, and the target that it is used on."""
    return f"tool/{event.tool}", f"target/{event.tool}/{event.target}"


def _odd(level: list[float], value: float) -> bool:
    """Judge by an exponentially weighted mean and variance, then learn."""
    mean, variance = level
    away = value - mean
    level[:] = mean + ALPHA * away, (1 - ALPHA) * (variance + ALPHA * away * away)
    return bool(away > LIMIT * max(variance, 1.0) ** 0.5)
