"""What the daemon does at this moment, for Prometheus: read from its parts when it is asked."""

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from alerting.health_rules import RULES
from monitor.health import Health
from monitor.progress import Progress
from monitor.worker import Worker

_COUNTED: Final = {
    "events": "Events that were read and judged.",
    "rejected": "Records that were refused and went to the dead letter.",
    "impostors": "Of those, events from who may not speak for their agents.",
    "repeats": "Events that were read before and were passed over.",
    "late": "Events that came after their window had closed.",
    "checkpoints": "Checkpoints of partitions.",
}
"""Fields of `monitor.counts.Counts`, and what they say."""


class Gauges(Collector):
    """Collected when Prometheus asks. Labels are partitions, detectors and kinds of conditions.

    Parameters
    ----------
    worker
        What reads.
    health
        What watches it, and knows how far behind it is.
    """

    def __init__(self, worker: Worker, health: Health) -> None:
        self._worker = worker
        self._health = health

    def collect(self) -> Iterable[Metric]:
        """See `Collector.collect`."""
        counts = self._worker.counts
        for name, what in _COUNTED.items():
            yield CounterMetricFamily(f"tripswitch_{name}", what, getattr(counts, name))
        anomalies = CounterMetricFamily(
            "tripswitch_anomalies", "Anomalies, also those that told nobody.", labels=["detector"]
        )
        for detector, number in list(counts.detectors.items()):
            anomalies.add_metric([detector], number)
        yield anomalies
        yield from self._standing()

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked when it is registered."""
        return []

    def _standing(self) -> Iterator[Metric]:
        now = Progress.of(self._worker, self._health)
        yield _gauge("partitions", "Partitions that this process reads.", now.partitions)
        resident = "Profiles in memory; the others are stored."
        yield _gauge("profiles_in_memory", resident, now.resident)
        yield _gauge("lag", "Records, or bytes of a log, left to be read.", now.behind)
        age = "While any are left: how old what is read now is."
        yield _gauge("lag_seconds", age, now.behind_s)
        held = {one.kind for one in self._health.held()}
        conditions = GaugeMetricFamily(
            "tripswitch_condition", "1 while it holds; the runbook tells of each.", labels=["kind"]
        )
        for kind in RULES:
            conditions.add_metric([kind], float(kind in held))
        yield conditions
        yield _gauge("ready", "1 while nothing critical is wrong.", self._health.is_well())


def _gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"tripswitch_{name}", what, float(value))
