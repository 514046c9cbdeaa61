"""The status: what the daemon has done since it last said so, as one line of its log."""

import logging
import time

from monitor.health import Health
from monitor.progress import Progress
from monitor.worker import Worker

log = logging.getLogger(__name__)


class Status:
    """Asked once a minute.

    Parameters
    ----------
    worker, health
        What reads, and what watches that.
    """

    def __init__(self, worker: Worker, health: Health) -> None:
        self._worker = worker
        self._health = health
        self._told_at_s = time.monotonic()
        self._events = 0

    def tell(self) -> None:
        """Log what is read, how far behind that is, and what is wrong."""
        log.info("%s", self.line())

    def line(self) -> str:
        """Source, rate, lag, profiles, mode, conditions."""
        worker, counts = self._worker, self._worker.counts
        now_s = time.monotonic()
        rate = (counts.events - self._events) / max(now_s - self._told_at_s, 1e-3)
        self._events, self._told_at_s = counts.events, now_s
        progress = Progress.of(worker, self._health)
        armed = any(rule.mode == "enforce" for rule in worker.response.rules)
        told = [
            f"{worker.source.name}: {progress.partitions} partitions",
            f"{counts.events:,} events ({rate:,.0f}/s), {counts.rejected:,} refused",
            f"{progress.resident:,} agents in memory",
            "armed" if armed else "observing",
        ]
        if progress.behind:
            told.append(f"{progress.behind_s:.0f} s behind")
        if held := self._health.held():
            told.append("wrong: " + ", ".join(sorted({one.kind for one in held})))
        return "; ".join(told)
