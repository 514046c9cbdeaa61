"""A tally: which values are the most frequent ones, in bounded space whatever is counted."""

from typing import Any, Final

from detectors.finding import Anomaly

MAX_VALUES: Final = 24
"""Of each kind; a value that more than one in so many has is never missed."""
MAX_VALUE_CHARS: Final = 200
KINDS: Final = ("version", "role", "tool", "target")


class Tally:
    """How many of an incident's alerts have which version, role, tool and target.

    A count of Misra and Gries (1982): where a table is full, a further value takes one from
    each. A count may thus be too low by the number of alerts divided by `MAX_VALUES`, but what
    many have in common is found.
    """

    __slots__ = ("_alerts", "_counts")

    def __init__(self) -> None:
        self._alerts = 0
        self._counts: dict[str, dict[str, int]] = {kind: {} for kind in KINDS}

    def add(self, anomaly: Anomaly) -> None:
        """Count the anomaly that opened an alert."""
        self._alerts += 1
        values = (anomaly.agent_version, anomaly.role, anomaly.tool, anomaly.target)
        for kind, value in zip(KINDS, values, strict=True):
            if value is not None:
                _count(self._counts[kind], value[:MAX_VALUE_CHARS])

    def most_common(self, least_share: float) -> tuple[tuple[str, str, float], ...]:
        """Kind, value and share of what at least so large a part has; the largest share first."""
        found = []
        for kind, counts in self._counts.items():
            if counts:
                value = max(counts, key=counts.__getitem__)
                share = counts[value] / self._alerts
                if share >= least_share:
                    found.append((kind, value, round(share, 3)))
        return tuple(sorted(found, key=lambda factor: -factor[2]))

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same of it."""
        return [self._alerts, self._counts]

    @classmethod
    def load(cls, data: list[Any]) -> "Tally":
        """Undo `dump`."""
        tally = cls()
        tally._alerts, counts = data
        tally._counts = {kind: dict(counts.get(kind, {})) for kind in KINDS}
        return tally


def _count(counts: dict[str, int], value: str) -> None:
    if value in counts or len(counts) < MAX_VALUES:
        counts[value] = counts.get(value, 0) + 1
        return
    for known in list(counts):
        counts[known] -= 1
        if not counts[known]:
            del counts[known]
