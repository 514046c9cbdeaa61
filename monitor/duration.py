"""Durations as people write them: `90s`, `15m`, `1h30m`, `2d`."""

import re
from typing import Final

from monitor.errors import UsageError

_UNITS_S: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_WHOLE: Final = re.compile(rf"(?:{_PART.pattern})+")


def parse_duration(text: str) -> float:
    """Seconds from a text such as `2d` or `1h30m`.

    Raises
    ------
    UsageError
        If the text is no duration, or one of no length.
    """
    seconds = 0.0
    if _WHOLE.fullmatch(text.strip()):
        seconds = sum(float(n) * _UNITS_S[unit] for n, unit in _PART.findall(text))
    if seconds <= 0:
        raise UsageError(f"{text!r} is no duration; write it as 90s, 15m, 1h30m or 2d")
    return seconds
