"""The tables. Two groups that SQLite keeps in two files, so that a checkpoint never delays a kill.

*ledger*: what happened and must never be lost. *state*: what a shard knows and where it stands.

Times are seconds since the epoch (REAL) where the code compares them; documents are JSON text.
A change here needs a migration in `monitor/store/migrations`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

ledger = MetaData()
state = MetaData()

_SEQ = BigInteger().with_variant(Integer, "sqlite")  # whose integers are all of eight bytes

# --- ledger ------------------------------------------------------------------------------------

claims = Table(
    "claims",
    ledger,
    Column("source", String, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("owner", String, nullable=False),
    Column("claimed_at", Float, nullable=False),
    comment="who owns a shard; every ledger transaction of a shard locks and checks its epoch",
)

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
    Column(
        "seq",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
    ),
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

threads = Table(
    "threads",
    ledger,
    Column("receiver", String, primary_key=True),
    Column("thread", String, primary_key=True, comment="the incident"),
    Column("place", Text, nullable=False, comment="in the receiver's own terms"),
    Column("created_at", Float, nullable=False, index=True),
    comment="where a receiver has told of an incident first",
)

requests = Table(
    "requests",
    ledger,
    Column("request_id", String, primary_key=True),
    Column("doc", Text, nullable=False, comment="who asked for what, as JSON"),
    Column("asked_by", String, nullable=False),
    Column("asked_at", Float, nullable=False),
    Column("settled_at", Float, index=True, comment="null: still to be done"),
    Column("outcome", Text, comment="what whoever asked was told"),
    comment="what people asked for in Slack, kept until it was done, once",
)

outbox = Table(
    "outbox",
    ledger,
    Column(
        "seq",
        BigInteger().with_variant(Integer, "sqlite"),  # only INTEGER counts up by itself there
        primary_key=True,
        comment="order of creation",
    ),
    Column(
        "delivery_id",
        String,
        nullable=False,
        unique=True,
        comment="the key that makes repeats one",
    ),
    Column(
        "stream",
        String,
        nullable=False,
        comment="hash of the agent's id; delivered in order within",  # or of the incident's
    ),
    Column("receiver", String, nullable=False),
    Column("state", String, nullable=False, comment="pending, sent, dead"),
    Column("attempts", Integer, nullable=False, default=0),
    Column("due_at", Float, nullable=False),
    Column("lease_until", Float, nullable=False, default=0.0),
    Column("created_at", Float, nullable=False),
    Column("settled_at", Float),
    Column("last_error", Text),
    Column("kind", String, nullable=False, server_default="", comment="MessageKind"),
    Column("doc", Text, nullable=False, comment="the Message as JSON"),
)
Index("outbox_pending", outbox.c.receiver, outbox.c.state, outbox.c.stream, outbox.c.seq)

conditions = Table(
    "conditions",
    ledger,
    Column("condition_id", String, primary_key=True),
    Column("process", String, nullable=False, comment="empty: seen alike by all of one store"),
    Column("kind", String, nullable=False, comment="ConditionKind"),
    Column("subject", String, nullable=False, comment="which source, receiver or point"),
    Column("severity", Integer, nullable=False),
    Column("text", Text, nullable=False, comment="what is wrong"),
    Column("since", Float, nullable=False, index=True),
    Column("seen_at", Float, nullable=False, comment="when a process last said so"),
    Column("ended_at", Float, comment="null: it holds"),
    Column("explained_by", String, comment="the kind that explains it: then nobody is told"),
    comment="what was wrong with the monitor itself, and when",
)
Index(
    "one_open_condition",
    conditions.c.process,
    conditions.c.kind,
    conditions.c.subject,
    unique=True,
    sqlite_where=text("ended_at IS NULL"),
    postgresql_where=text("ended_at IS NULL"),
)

agents = Table(
    "agents",
    ledger,
    Column("agent_id", String, primary_key=True),
    Column("state", String, nullable=False, comment="AgentState"),
    Column("order_seq", _SEQ, nullable=False),
    Column("trip_id", String, comment="the trip that the state is about"),
    Column("since", Float, nullable=False),
    comment="agents that were granted or ordered anything; any other is active",
)

trips = Table(
    "trips",
    ledger,
    Column("trip_id", String, primary_key=True),
    Column("agent_id", String, nullable=False, index=True),
    Column("order_seq", _SEQ, nullable=False),
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
    Column("order_seq", _SEQ, nullable=False),
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

directives = Table(
    "directives",
    ledger,
    Column(
        "seq",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        comment="order of creation",
    ),
    Column("agent_id", String, nullable=False, index=True),
    Column("kind", String, nullable=False, comment="what is done to the profile: approve"),
    Column("by", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("source", String, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, comment="applied before this record; null: not yet"),
    Column("stamped_at", Float),
    Column("until", Float, comment="end of what holds for a time only"),
    Column("doc", Text, comment="what exactly is taught, as JSON"),
    comment="what people taught, and at which place of the log it was applied",
)
Index("directives_by_place", directives.c.source, directives.c.partition, directives.c.offset)

audit = Table(
    "audit",
    ledger,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("action", String, nullable=False),
    Column("facts", Text, nullable=False, comment="JSON without a word that a person wrote"),
    Column("actor_digest", String, nullable=False),
    Column("subject_digest", String, nullable=False),
    Column("text_digest", String, nullable=False),
    Column("prev_hash", String, nullable=False),
    Column("hash", String, nullable=False),
    comment="the chain; updates and deletes are refused by triggers",
)

audit_details = Table(
    "audit_details",
    ledger,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("part", String, primary_key=True, comment="actor, subject or text"),
    Column("salt", String, nullable=False),
    Column("content", Text, nullable=False),
    comment="what may be personal, apart from the chain, so that it can be erased",
)

audit_head = Table(
    "audit_head",
    ledger,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("store_id", String, nullable=False, comment="tells one chain from another"),
    Column("count", BigInteger, nullable=False),
    Column("hash", String, nullable=False),
)

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

tokens = Table(
    "tokens",
    ledger,
    Column("token_id", String, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("role", String, nullable=False, comment="viewer, operator or admin"),
    Column("digest", String, nullable=False, unique=True, comment="SHA-256 of the secret"),
    Column("created_by", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("revoked_at", Float),
    Column("revoked_by", String),
)

actions = Table(
    "actions",
    ledger,
    Column(
        "seq",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        comment="order of writing",
    ),
    Column("source", String, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("logged_at", Float, nullable=False, comment="when the log took it in"),
    Column("acted_at", Float, nullable=False, comment="when it was, as the agent says"),
    Column("effect", String, nullable=False),
    # from here on as the fields of an event
    Column("agent_id", String, nullable=False),
    Column("event_id", String, nullable=False),
    Column("action", String, nullable=False, comment="the verb"),
    Column("tool", String),
    Column("target", String),
    Column("target_origin", String),
    Column("target_source", String),
    Column("status", String, nullable=False),
    Column("data_class", String),
    Column("bytes_out", BigInteger),
    Column("bytes_in", BigInteger),
    Column("records", BigInteger),
    Column("trace_id", String),
    Column("parent_agent_id", String, comment="who delegated"),
    Column("user_id", String, comment="on whose behalf"),
    comment="what agents did, each record of the log once; kept for history.keep_days",
)
Index("actions_once", actions.c.source, actions.c.partition, actions.c.offset, unique=True)
Index("actions_of_agent", actions.c.agent_id, actions.c.logged_at)

# --- state -------------------------------------------------------------------------------------

shards = Table(
    "shards",
    state,
    Column("source", String, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("saved_at", Float, nullable=False),
    Column("doc", Text, nullable=False, comment="the source's own notes and what the shard shares"),
)

profiles = Table(
    "profiles",
    state,
    Column("source", String, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("agent_id", String, primary_key=True),
    # A summary, so that a list of agents reads no body; before it, where SQLite finds it at once.
    Column("role", String),
    Column("agent_version", String),
    Column("first_seen", Float, nullable=False),
    Column("last_seen", Float, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("calibrated_since", Float, comment="of its runs; null while they are learned"),
    Column("learned", Text, nullable=False, comment="family: [episodes, calibrated since]"),
    Column("due", Float, comment="event time at which the agent is missed; null: not waited for"),
    Column("checksum", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False, comment="msgpack of Profile.dump()"),
)
Index("profiles_of_agent", profiles.c.agent_id)
Index("profiles_by_last_seen", profiles.c.last_seen, profiles.c.calibrated_since)

damaged_profiles = Table(
    "damaged_profiles",
    state,
    Column("source", String, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("agent_id", String, primary_key=True),
    Column("found_at", Float, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

cohorts = Table(
    "cohorts",
    state,
    Column("source", String, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("role_key", String, primary_key=True),
    Column("checksum", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
