"""A hold: what must not be learned from an event, because it was alarmed on."""

from typing import Literal, NamedTuple


class Hold(NamedTuple):
    """Something that was alarmed on, and so is not learned now."""

    what: Literal["tool", "target", "streak", "window", "hour"]
    window: int = 0
    metric: int = 0
