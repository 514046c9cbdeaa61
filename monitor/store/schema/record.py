"""What people and agents did: the audit, directives, tokens, and the history of actions."""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    String,
    Table,
    Text,
)

from monitor.store.schema.metadata import SEQ, ledger

directives = Table(
    "directives",
    ledger,
    Column("seq", SEQ, primary_key=True, comment="order of creation"),
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
    Column("seq", SEQ, primary_key=True, comment="order of writing"),
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
