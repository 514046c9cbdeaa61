"""Who reads a shard, where it stands, and what it knows."""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from monitor.store.schema.metadata import ledger, state

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
