"""What was found: anomalies, the alerts and incidents that they became, and mutes."""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from monitor.store.schema.metadata import SEQ, ledger

anomalies = Table(
    "anomalies",
    ledger,
    Column("anomaly_id", String, primary_key=True),
    Column("agent_id", String, nullable=False, index=True),
    Column("alert_id", String, nullable=False, index=True),  # empty for one in shadow
    Column("detector", String, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("event_time", Float, nullable=False),
    Column("stored_at", Float, nullable=False, index=True),
    Column("trace", String, index=True, comment="hash of the run's trace_id"),
    Column("parent", String, index=True, comment="hash of the id of who delegated"),
    Column("doc", Text, nullable=False),
)

alerts = Table(
    "alerts",
    ledger,
    Column("alert_id", String, primary_key=True),
    Column("agent_id", String, nullable=False),
    Column("state", String, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("opened_at", Float, nullable=False, index=True),
    Column("last_anomaly_at", Float, nullable=False),
    Column("incident_id", String, nullable=False, index=True, server_default=""),
    Column("muted_by", String, comment="the mute that keeps it back"),
    Column(
        "charge",
        String,
        nullable=False,
        server_default="free",
        comment="against the fleet's cap: free, charged, capped",
    ),
    Column("doc", Text, nullable=False),
)
Index("alerts_charged", alerts.c.charge, alerts.c.opened_at)
Index("alerts_of_agent", alerts.c.agent_id, alerts.c.opened_at)
Index("alerts_muted", alerts.c.muted_by)
_is_open = text("state IN ('open', 'acknowledged')")
Index(
    "one_open_alert_per_agent",
    alerts.c.agent_id,
    unique=True,
    sqlite_where=_is_open,
    postgresql_where=_is_open,
)

incidents = Table(
    "incidents",
    ledger,
    Column("incident_id", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("opened_at", Float, nullable=False, index=True),
    Column("last_anomaly_at", Float, nullable=False),
    Column("bond", String, nullable=False, comment="what its agents have in common"),
    Column("told_at", Float, comment="when people were last told; reminders count from here"),
    Column("updated_at", Float, comment="when what was told was last brought up to date"),
    Column("is_stale", Boolean, nullable=False, comment="whether there is more to show by now"),
    Column("tally", Text, nullable=False, comment="the Tally as JSON: what its alerts share"),
    Column("doc", Text, nullable=False, comment="the Incident as JSON"),
    comment="alerts that are one story",
)
Index("incidents_open", incidents.c.state, incidents.c.told_at)
Index("incidents_stale", incidents.c.is_stale, incidents.c.updated_at)

alert_changes = Table(
    "alert_changes",
    ledger,
    Column("seq", SEQ, primary_key=True),
    Column("alert_id", String, nullable=False, index=True),
    Column("incident_id", String, nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("by", String, nullable=False),
    Column("change", String, nullable=False, comment="opened, raised, acknowledged, …"),
    Column("reason", Text, nullable=False),
    comment="who changed what about an alert, when and why",
)

mutes = Table(
    "mutes",
    ledger,
    Column("mute_id", String, primary_key=True),
    Column("doc", Text, nullable=False, comment="patterns of agents, roles, detectors, targets"),
    Column("reason", Text, nullable=False),
    Column("muted_by", String, nullable=False),
    Column("since", Float, nullable=False),
    Column("until", Float, nullable=False, index=True),
    Column("ended_at", Float),
    Column("ended_by", String),
    Column("hidden", Integer, nullable=False, default=0, comment="alerts that it kept back"),
)
