"""What a worker has done since it started, for people and for `run --json`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from detectors.finding import Anomaly
from detectors.shard import Tally
from monitor.dead_letter import DeadLetter


@dataclass(slots=True)
class Counts:
    """Counted over all shards; repeats, late and reused ids as of the last checkpoint."""

    events: int = 0
    rejected: int = 0
    """Records that went to the dead letter …"""
    impostors: int = 0
    """… and those of them that were events, from who may not speak for their agents."""
    anomalies: int = 0
    repeats: int = 0
    changed_ids: int = 0
    late: int = 0
    checkpoints: int = 0
    detectors: dict[str, int] = field(default_factory=dict)
    """Anomalies of each detector."""

    def reject(self, refused: Sequence[DeadLetter]) -> None:
        """Take in what was refused."""
        self.rejected += len(refused)
        self.impostors += sum(letter.kind == "impostor" for letter in refused)

    def find(self, anomalies: Iterable[Anomaly]) -> None:
        """Take in what was found."""
        for anomaly in anomalies:
            self.anomalies += 1
            self.detectors[anomaly.detector] = self.detectors.get(anomaly.detector, 0) + 1

    def add(self, tally: Tally) -> None:
        """Take over what a shard counted since its last checkpoint."""
        self.repeats += tally.repeats
        self.changed_ids += tally.changed_ids
        self.late += tally.late
