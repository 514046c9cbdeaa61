"""Orders that wait for a person or are about many, and times without automatic trips."""

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from monitor.store.schema.metadata import ledger

approvals = Table(
    "approvals",
    ledger,
    Column("approval_id", String, primary_key=True),
    Column("kind", String, nullable=False, comment="trip, kill_role or kill_all"),
    Column("subject", String, nullable=False, comment="an agent, a role, or nothing for all"),
    Column("reason", Text, nullable=False),
    Column("asked_by", String, nullable=False),
    Column("asked_at", Float, nullable=False, index=True),
    Column("expires_at", Float, nullable=False),
    Column("on_expiry", String, nullable=False, comment="nothing or trip"),
    Column("state", String, nullable=False, comment="waiting, approved, declined, expired"),
    Column("decided_by", String),
    Column("decided_at", Float),
    Column("decided_reason", Text),
    Column("anomaly_id", String, comment="the evidence of an automatic one"),
    Column("anomaly_at", Float),
    comment="orders that wait for a person, or for a second one",
)
Index(
    "one_waiting_approval",
    approvals.c.kind,
    approvals.c.subject,
    unique=True,
    sqlite_where=text("state = 'waiting'"),
    postgresql_where=text("state = 'waiting'"),
)

holds = Table(
    "holds",
    ledger,
    Column("hold_id", String, primary_key=True),
    Column("role", String, comment="null: every agent"),
    Column("reason", Text, nullable=False),
    Column("ordered_by", String, nullable=False),
    Column("confirmed_by", String),
    Column("ordered_at", Float, nullable=False),
    Column("lifted_at", Float),
    Column("lifted_by", String),
    Column("lifted_reason", Text),
    Column("probation_s", Float, comment="of the agents that are given back when it is lifted"),
    comment="orders about a role or the fleet; agents that turn up meanwhile are cut off, too",
)

hold_members = Table(
    "hold_members",
    ledger,
    Column("hold_id", String, ForeignKey("holds.hold_id"), primary_key=True),
    Column("agent_id", String, primary_key=True),
    Column("trip_id", String, comment="what cuts it off; null: still to be ordered"),
    Column("released_at", Float, comment="when a person restored it, alone or with the others"),
    comment="agents that a hold is known to be about; refused from the moment they stand here",
)
Index("hold_members_of_agent", hold_members.c.agent_id)
Index(
    "hold_members_open",
    hold_members.c.hold_id,
    hold_members.c.released_at,
    hold_members.c.trip_id,
)

pauses = Table(
    "pauses",
    ledger,
    Column("pause_id", String, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("paused_by", String, nullable=False),
    Column("since", Float, nullable=False),
    Column("until", Float, nullable=False),
    Column("ended_at", Float),
    Column("ended_by", String),
    Column("held", Integer, nullable=False, default=0, comment="trips that it held back"),
    comment="times without automatic trips",
)
