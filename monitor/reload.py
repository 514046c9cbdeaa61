"""A reload: the settings read again on SIGHUP, without a restart; bad ones change nothing.

What opens connections needs a restart: it is named, and all else is taken over. The worker's thread
does it between two batches, so no event is judged by half of a policy.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from detectors.policy import Policy
from monitor import config as settings
from monitor import policies
from monitor.current import Current
from monitor.dispatcher import Dispatcher
from monitor.errors import TripswitchError
from monitor.producers import open_producers
from monitor.routing import fallback, routing
from monitor.worker import Worker

log = logging.getLogger(__name__)

RESTART: Final = (
    "source", "kafka", "store", "slack", "receivers", "points", "metrics", "log", "heartbeat",
    "serve",
)  # fmt: skip
"""Sections that are read when the daemon starts, and not again."""


@dataclass(slots=True)
class Reload:
    """Reads the settings again.

    Parameters
    ----------
    current
        The settings that are in force.
    worker, dispatcher
        Who works by them, and holds what was made of them.
    """

    current: Current
    worker: Worker
    dispatcher: Dispatcher

    def ask(self, path: Path | None) -> None:
        """Have it done soon; may be called from a signal handler."""
        self.worker.asked.put(lambda: self.now(path))

    def now(self, path: Path | None) -> bool:
        """Read them, and take over what can be; False where they are refused.

        On the worker's thread alone.
        """
        before = self.current.config
        try:
            new = settings.load(path)
            alerts = new.alerts.model_copy(update={"terminal": before.alerts.terminal})
            new = new.model_copy(update={"alerts": alerts})
            if new.receiver_names != before.receiver_names:
                raise TripswitchError("other receivers take a restart")
            policy = policies.detection(new)
            producers = open_producers(new.model_copy(update={"source": before.source}))
        except (TripswitchError, ValueError) as error:
            log.error("reload refused, all stays as it was: %s", error)
            return False
        waiting = [name for name in RESTART if getattr(new, name) != getattr(before, name)]
        new = new.model_copy(update={name: getattr(before, name) for name in RESTART})
        routes = routing(new)
        response = self.worker.response
        response.follow(policies.response(new, routes, tuple(response.points)))
        if isinstance(response.receivers, type(routes)):
            response.receivers.follow(routes)
        self.dispatcher.fall_back_on(fallback(new))
        self._judge_by(policy)
        self.worker.decoder.producers = producers
        tower = self.worker.watchtower
        tower.allowed_skew_s, tower.silent_after_s = (
            new.trip.allowed_skew_s,
            new.trip.silent_after_s,
        )
        self.worker.keeps_history = new.history.is_kept
        self.current.config = new
        rest = f"; a restart is needed for {', '.join(waiting)}" if waiting else ""
        log.info("settings reloaded%s", rest)
        return True

    def _judge_by(self, policy: Policy) -> None:
        """As after a restart: profiles are saved, and load again by the new rules."""
        worker = self.worker
        worker.checkpoint()
        worker.policy = policy
        for owned in worker.owned.values():
            owned.shard.follow(policy)
