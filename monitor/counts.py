"""What a worker has done since it started, for people and for `run --json`."""

from dataclasses import dataclass

from detectors.shard import Tally


@dataclass(slots=True)
class Counts:
    """Counted over all shards; repeats, late and reused ids as of the last checkpoint."""

    events: int = 0
    rejected: int = 0
    anomalies: int = 0
    repeats: int = 0
    changed_ids: int = 0
    late: int = 0
    checkpoints: int = 0

    def add(self, tally: Tally) -> None:
        """Take over what a shard counted since its last checkpoint."""
        self.repeats += tally.repeats
        self.changed_ids += tally.changed_ids
        self.late += tally.late
