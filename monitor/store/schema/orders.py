"""Orders about one agent: where it stands, its trips, their points and watches, its grants."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
)

from monitor.store.schema.metadata import SEQ, ledger

agents = Table(
    "agents",
    ledger,
    Column("agent_id", String, primary_key=True),
    Column("state", String, nullable=False, comment="AgentState"),
    Column("order_seq", SEQ, nullable=False),
    Column("trip_id", String, comment="the trip that the state is about"),
    Column("since", Float, nullable=False),
    comment="agents that were granted or ordered anything; any other is active",
)

trips = Table(
    "trips",
    ledger,
    Column("trip_id", String, primary_key=True),
    Column("agent_id", String, nullable=False, index=True),
    Column("order_seq", SEQ, nullable=False),
    Column("automatic", Boolean, nullable=False),
    Column("ordered_by", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("anomaly_id", String, comment="the evidence of an automatic trip"),
    Column("anomaly_at", Float, comment="event time of that evidence"),
    Column("ordered_at", Float, nullable=False, index=True),
    Column("read_at", Float, comment="when the daemon read that evidence"),
    Column("hold_id", String, comment="the order about a role or the fleet that it is part of"),
    Column("contained_at", Float),
    Column("partial_at", Float, comment="when the last point was confirmed or given up"),
    Column("first_effective_at", Float),
    Column("last_effective_at", Float),
    Column("effective_count", Integer, nullable=False, default=0),
    Column("effective_told_at", Float, comment="when people were last told of an effective action"),
    Column(
        "early_count",
        Integer,
        nullable=False,
        server_default="0",
        comment="actions that succeeded after the order and were not effective yet",
    ),
    Column("last_early_at", Float),
    Column("refused_count", Integer, nullable=False, default=0),
    Column("silent_at", Float),
    Column("restore_ordered_at", Float),
    Column("restore_ordered_by", String),
    Column("restore_reason", Text),
    Column("restored_at", Float),
    Column("probation_s", Float, comment="how long probation lasts from restored_at"),
    Column(
        "metered",
        Integer,
        nullable=False,
        server_default="0",
        comment="bits of the stages that a process has taken into its metrics",
    ),
)

points = Table(
    "points",
    ledger,
    Column("trip_id", String, ForeignKey("trips.trip_id"), primary_key=True),
    Column("point", String, primary_key=True),
    Column("direction", String, nullable=False, comment="revoke or restore"),
    Column("order_seq", SEQ, nullable=False),
    Column("state", String, nullable=False, comment="PointState"),
    Column("attempts", Integer, nullable=False, default=0),
    Column("due_at", Float, nullable=False),
    Column("lease_owner", String),
    Column("lease_until", Float, nullable=False, default=0.0),
    Column("settled_at", Float),
    Column("last_error", Text),
)
Index("points_due", points.c.state, points.c.due_at)

watches = Table(
    "watches",
    ledger,
    Column("trip_id", String, ForeignKey("trips.trip_id"), primary_key=True),
    Column("place", String, primary_key=True, comment="topic/partition; empty: the only one"),
    Column("watched_to", BigInteger, nullable=False, comment="next offset to watch"),
    Column("quiet", Boolean, nullable=False, comment="whether it shows that the agent is silent"),
    comment="what each partition that an agent may write to shows since it was cut off",
)

grants = Table(
    "grants",
    ledger,
    Column("grant_id", String, primary_key=True),
    Column("agent_id", String, nullable=False, index=True),
    Column("scope", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("granted_by", String, nullable=False),
    Column("granted_at", Float, nullable=False),
    Column("expires_at", Float, comment="null: a standing grant"),
    Column("revoked_at", Float),
    Column("revoked_by", String, comment="'trip:ID', 'blocked:ID' if added while cut off, or who"),
)
