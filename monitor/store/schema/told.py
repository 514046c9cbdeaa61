"""Who is told and asked: threads, requests, the outbox, and troubles of the monitor itself."""

from sqlalchemy import (
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
    Column("seq", SEQ, primary_key=True, comment="order of creation"),
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
