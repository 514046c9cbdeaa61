"""How often the worker does what it does not do for each batch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Intervals in seconds, and how many profiles stay in memory."""

    poll_s: float = 0.25
    checkpoint_s: float = 5.0
    max_resident_agents: int = 100_000
