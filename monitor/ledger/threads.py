"""Threads: where each receiver has told of an incident first, so that the rest goes there, too."""

from sqlalchemy import Connection, select

from monitor.ledger.forgetting import forget_some
from monitor.store.schema import threads
from monitor.store.sql import storable, upsert


def place_of(connection: Connection, receiver: str, thread: str) -> str | None:
    """Where a receiver has told of it, in the receiver's own terms; None if it has not."""
    query = select(threads.c.place).where(
        threads.c.receiver == receiver, threads.c.thread == thread
    )
    return connection.execute(query).scalar_one_or_none()


def keep(connection: Connection, receiver: str, thread: str, place: str, now_s: float) -> None:
    """Note where a receiver tells of it."""
    row = {
        "receiver": receiver,
        "thread": thread,
        "place": storable(place),
        "created_at": now_s,
    }
    upsert(connection, threads, [row])


def prune(connection: Connection, before_s: float) -> int:
    """Forget some of the threads that began before then; returns how many."""
    return forget_some(connection, threads, threads.c.created_at < before_s)
