"""A hold: what must not be learned from an event, because it was alarmed on."""

from typing import Literal, NamedTuple

Held = Literal["run", "streak", "window", "hour", "drift", "grant", "grants"]


class Hold(NamedTuple):
    """Something that was alarmed on, and so is not learned now."""

    what: Held
    window: int = 0
    metric: int = 0
    term: str = ""
    value: float = 0.0
