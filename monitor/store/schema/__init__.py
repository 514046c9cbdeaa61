"""The tables. Two groups that SQLite keeps in two files, so that a checkpoint never delays a kill.

*ledger*: what happened and must never be lost. *state*: what a shard knows and where it stands.

Times are seconds since the epoch (REAL) where the code compares them; documents are JSON text.
A change here needs a migration in `monitor/store/migrations`.
"""

from monitor.store.schema.found import alert_changes, alerts, anomalies, incidents, mutes
from monitor.store.schema.metadata import ledger, state
from monitor.store.schema.orders import agents, grants, points, trips, watches
from monitor.store.schema.orders_many import approvals, hold_members, holds, pauses
from monitor.store.schema.reading import claims, cohorts, damaged_profiles, profiles, shards
from monitor.store.schema.record import (
    actions,
    audit,
    audit_details,
    audit_head,
    directives,
    tokens,
)
from monitor.store.schema.told import conditions, outbox, requests, threads

__all__ = [
    "actions",
    "agents",
    "alert_changes",
    "alerts",
    "anomalies",
    "approvals",
    "audit",
    "audit_details",
    "audit_head",
    "claims",
    "cohorts",
    "conditions",
    "damaged_profiles",
    "directives",
    "grants",
    "hold_members",
    "holds",
    "incidents",
    "ledger",
    "mutes",
    "outbox",
    "pauses",
    "points",
    "profiles",
    "requests",
    "shards",
    "state",
    "threads",
    "tokens",
    "trips",
    "watches",
]
