"""The progress: what the daemon reads and holds at this moment, and how far behind that is."""

from typing import NamedTuple

from monitor.health import Health
from monitor.health_probes import SourceProbe
from monitor.worker import Worker


class Progress(NamedTuple):
    """How far the daemon is.

    Attributes
    ----------
    partitions
        That are read.
    resident
        Profiles in memory.
    behind
        What is left to be read, in records or bytes.
    behind_s
        How old what is read now is, while anything is left.
    """

    partitions: int
    resident: int
    behind: int
    behind_s: float

    @classmethod
    def of(cls, worker: Worker, health: Health) -> "Progress":
        """Read from the parts; any thread may ask."""
        owned = list(worker.owned.values())  # the worker's thread changes it
        source = next(probe for probe in health.probes if isinstance(probe, SourceProbe))
        resident = sum(len(one.shard.profiles) for one in owned)
        return cls(len(owned), resident, source.behind, source.behind_s)
