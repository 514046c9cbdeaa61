"""How often the worker does what it does not do for each batch."""

from dataclasses import dataclass

from detectors.residents import MAX_AWAKE


@dataclass(frozen=True, slots=True)
class Timing:
    """Intervals in seconds, and how many profiles stay in memory, and how many of them unpacked."""

    poll_s: float = 0.25
    checkpoint_s: float = 5.0
    max_resident_agents: int = 250_000
    max_active_agents: int = MAX_AWAKE
