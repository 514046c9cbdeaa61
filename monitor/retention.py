"""Retention: what is settled is forgotten once it is as old as the settings say.

About a thousand rows go in one transaction: whoever cuts an agent off waits for its end.
"""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection

from monitor.config import Config
from monitor.ledger import (
    actions,
    alerts,
    audit,
    conditions,
    directives,
    old,
    outbox,
    requests,
    threads,
)
from monitor.store import Store

DAY_S: Final = 86_400.0

Prune = Callable[[Connection, float], int]
"""Forgets some of what is older than a time; returns how much, 0 once nothing is left."""


def prune(store: Store, config: Config, now_s: float) -> None:
    """Forget what has outlived its retention, of every table but the audit's.

    Parameters
    ----------
    store
        What is pruned.
    config
        `retention` and `history`.
    now_s
        The clock, in seconds since the epoch.
    """
    keep = config.retention
    kept_days: list[tuple[Prune, float]] = [
        (alerts.prune_anomalies, keep.anomalies_days),
        (alerts.prune, keep.alerts_days),
        (outbox.prune, keep.outbox_days),
        (requests.prune, keep.outbox_days),
        (threads.prune, keep.alerts_days),
        (directives.prune, keep.alerts_days),
        (conditions.prune, keep.alerts_days),
        (old.prune_trips, keep.trips_days),
        (old.prune_decisions, keep.decisions_days),
        (old.prune_grants, keep.grants_days),
    ]
    for prune_some, days in kept_days:
        while _pruned(store, prune_some, now_s - days * DAY_S):
            pass
    forgotten = actions.BATCH
    while forgotten == actions.BATCH:
        with store.ledger() as ledger:
            before_s = now_s - config.history.keep_days * DAY_S
            forgotten = actions.prune(ledger, before_s, config.history.max_actions)


def _pruned(store: Store, prune_some: Prune, before_s: float) -> int:
    with store.ledger() as ledger:
        audit.lock(ledger)  # the head first, everywhere: no two transactions wait for each other
        return prune_some(ledger, before_s)
