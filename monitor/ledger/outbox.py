"""The outbox: what is to be told to whom, kept until it was told.

Rules
-----
1. A delivery's id is made of the caller's `identity` and the receiver: to say a thing again, as a
   replay after a crash does, adds nothing.
2. Deliveries of one stream (an incident, else an agent) to one receiver go in the order of their
   creation: a pending one holds back those behind it. Streams and receivers do not wait for each
   other. An `updated` message that waits at the end of its stream gives way to a newer one.
3. Whoever takes a delivery holds a lease on it. A lease that ran out, as after a crash, lets it
   be taken again: at least once, under the same id. `attempts` tells the takers apart, so that
   one that comes back late cannot undo what another has settled.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, select, update

from alerting.message import Message
from monitor.ledger import recipients, streams
from monitor.ledger.forgetting import forget_some
from monitor.store.schema import outbox
from monitor.store.sql import insert_if_missing, storable


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message on its way to one receiver, leased to the caller.

    Attributes
    ----------
    delivery_id
        The key that receivers get, the same for every attempt.
    attempts
        How often it was taken, this time included.
    doc
        The message as JSON, as it was written; `message` reads it.
    """

    delivery_id: str
    receiver: str
    attempts: int
    doc: str

    def message(self) -> Message:
        """The message.

        Raises
        ------
        pydantic.ValidationError
            If it cannot be read, such as one that another version wrote.
        """
        return Message.model_validate_json(self.doc)


def enqueue(
    connection: Connection,
    message: Message,
    receivers: Sequence[str],
    now_s: float,
    *,
    identity: str,
) -> int:
    """Put a message into the outbox, once for each receiver; it counts as said when this commits.

    Parameters
    ----------
    connection
        The transaction that also holds what the message is about.
    message
        What to tell; its incident is the stream, else its agent.
    receivers
        Names of the receivers, or what chooses them for this message: they are fixed now.
    now_s
        The time, in seconds since the epoch.
    identity
        What makes this the same thing to tell, such as `opened/ALERT`; said again it is a no-op.

    Returns
    -------
    int
        How many deliveries are new.
    """
    stream = streams.stream_of(message)
    message, names = recipients.settle(connection, receivers, message, stream)
    doc = message.model_dump_json()
    return sum(
        _put(
            connection,
            streams.digest(identity, receiver),
            stream,
            receiver,
            message.kind,
            doc,
            now_s,
        )
        for receiver in names
    )


def take_due(
    connection: Connection,
    receivers: Sequence[str],
    now_s: float,
    lease_s: float,
    limit: int,
) -> list[Delivery]:
    """Lease up to `limit` deliveries that are due, oldest first, at most one of each stream.

    Parameters
    ----------
    connection
        A transaction; the lease holds once it commits.
    receivers
        Whose deliveries to take.
    now_s
        The time, in seconds since the epoch.
    lease_s
        For how long nobody else may take them, in seconds.
    limit
        Most deliveries to take.
    """
    earlier = outbox.alias("earlier")
    held_back = (
        select(earlier.c.seq)
        .where(
            earlier.c.receiver == outbox.c.receiver,
            earlier.c.state == "pending",
            earlier.c.stream == outbox.c.stream,
            earlier.c.seq < outbox.c.seq,
        )
        .exists()
    )
    due = (
        select(outbox.c.seq)
        .where(
            outbox.c.receiver.in_(receivers),
            outbox.c.state == "pending",
            outbox.c.due_at <= now_s,
            outbox.c.lease_until <= now_s,
            ~held_back,
        )
        .order_by(outbox.c.seq)
        .limit(limit)
        # SQLite, which has one writer at a time, knows no row locks and needs none
        .with_for_update(skip_locked=True, of=outbox)
    )
    chosen = list(connection.execute(due).scalars())
    if not chosen:
        return []
    taken = connection.execute(
        update(outbox)
        .where(outbox.c.seq.in_(chosen))
        .values(lease_until=now_s + lease_s, attempts=outbox.c.attempts + 1)
        .returning(
            outbox.c.seq,
            outbox.c.delivery_id,
            outbox.c.receiver,
            outbox.c.attempts,
            outbox.c.doc,
        )
    )
    return [Delivery(*row[1:]) for row in sorted(taken, key=lambda row: row.seq)]


def mark_sent(connection: Connection, delivery: Delivery, now_s: float) -> None:
    """The receiver took it. True whoever holds the lease by now."""
    connection.execute(
        update(outbox)
        .where(outbox.c.delivery_id == delivery.delivery_id, outbox.c.state == "pending")
        .values(state="sent", settled_at=now_s, last_error=None)
    )


def mark_retry(connection: Connection, delivery: Delivery, due_at: float, error: str) -> None:
    """It was not taken, and is due again at `due_at`; a no-op if another has taken it since."""
    connection.execute(
        update(outbox)
        .where(*_held(delivery))
        .values(due_at=due_at, lease_until=0.0, last_error=storable(error))
    )


def mark_dead(
    connection: Connection,
    delivery: Delivery,
    now_s: float,
    error: str,
    fallback: Sequence[str] = (),
) -> None:
    """It will never be taken; a no-op if another has taken it since.

    Parameters
    ----------
    fallback
        Who gets the message once all who were to get it have refused it for good.
    """
    stream = select(outbox.c.stream).where(outbox.c.delivery_id == delivery.delivery_id)
    same = select(
        outbox.c.delivery_id, outbox.c.receiver, outbox.c.stream, outbox.c.state, outbox.c.kind
    ).where(outbox.c.stream == stream.scalar_subquery(), outbox.c.doc == delivery.doc)
    # Locked together and in order: of two that fail at once one sees that it is the last.
    found = connection.execute(same.order_by(outbox.c.seq).with_for_update()).all()
    dead = connection.execute(
        update(outbox)
        .where(*_held(delivery))
        .values(state="dead", settled_at=now_s, last_error=storable(error))
    )
    others = (row for row in found if row.delivery_id != delivery.delivery_id)
    if not dead.rowcount or any(row.state != "dead" for row in others):
        return
    had_it = {row.receiver for row in found}
    for receiver in fallback:
        if receiver not in had_it:
            key = streams.digest("fallback", delivery.doc, receiver)
            _put(connection, key, found[0].stream, receiver, found[0].kind, delivery.doc, now_s)


def prune(connection: Connection, before_s: float) -> int:
    """Forget some of what was settled before then; returns how many. What is pending stays."""
    return forget_some(connection, outbox, outbox.c.settled_at < before_s)


def _put(
    connection: Connection,
    delivery_id: str,
    stream: str,
    receiver: str,
    kind: str,
    doc: str,
    now_s: float,
) -> bool:
    if kind == "updated" and _replace(connection, delivery_id, stream, receiver, doc, now_s):
        return True
    row = {
        "delivery_id": delivery_id,
        "stream": stream,
        "receiver": receiver,
        "state": "pending",
        "attempts": 0,
        "due_at": now_s,
        "lease_until": 0.0,
        "created_at": now_s,
        "kind": kind,
        "doc": doc,
    }
    return insert_if_missing(connection, outbox, row)


def _replace(
    connection: Connection, delivery_id: str, stream: str, receiver: str, doc: str, now_s: float
) -> bool:
    """Let a newer text take the place of one that nobody is sending, and that nothing follows.

    It keeps how often that was tried and when it is due: a receiver that asked to be left alone is.
    """
    known = select(outbox.c.seq).where(outbox.c.delivery_id == delivery_id)
    if connection.execute(known).first() is not None:
        return False
    last = (
        select(outbox.c.seq, outbox.c.kind, outbox.c.lease_until)
        .where(
            outbox.c.receiver == receiver,
            outbox.c.state == "pending",
            outbox.c.stream == stream,
        )
        .order_by(outbox.c.seq.desc())
        .limit(1)
    )
    waiting = connection.execute(last).one_or_none()
    if waiting is None or waiting.kind != "updated" or waiting.lease_until > now_s:
        return False
    replaced = update(outbox).where(
        outbox.c.seq == waiting.seq, outbox.c.state == "pending", outbox.c.lease_until <= now_s
    )
    return connection.execute(replaced.values(delivery_id=delivery_id, doc=doc)).rowcount == 1


def _held(delivery: Delivery) -> tuple[ColumnElement[bool], ...]:
    return (
        outbox.c.delivery_id == delivery.delivery_id,
        outbox.c.state == "pending",
        outbox.c.attempts == delivery.attempts,
    )
