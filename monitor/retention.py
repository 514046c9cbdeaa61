"""Retention: what is settled is forgotten once it is as old as the settings say."""

from typing import Final

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
    alerts_before_s = now_s - keep.alerts_days * DAY_S
    outbox_before_s = now_s - keep.outbox_days * DAY_S
    with store.ledger() as ledger:
        audit.lock(ledger)  # the head first, everywhere: no two transactions wait for each other
        alerts.prune(
            ledger,
            anomalies_before_s=now_s - keep.anomalies_days * DAY_S,
            alerts_before_s=alerts_before_s,
        )
        outbox.prune(ledger, outbox_before_s)
        requests.prune(ledger, outbox_before_s)
        threads.prune(ledger, alerts_before_s)
        directives.prune(ledger, alerts_before_s)
        conditions.prune(ledger, alerts_before_s)
        old.prune_trips(ledger, now_s - keep.trips_days * DAY_S)
        old.prune_decisions(ledger, now_s - keep.decisions_days * DAY_S)
        old.prune_grants(ledger, now_s - keep.grants_days * DAY_S)
    forgotten = actions.BATCH
    while forgotten == actions.BATCH:  # in transactions that let a kill in between
        with store.ledger() as ledger:
            before_s = now_s - config.history.keep_days * DAY_S
            forgotten = actions.prune(ledger, before_s, config.history.max_actions)
