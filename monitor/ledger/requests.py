"""What people asked for in Slack, kept until it was done: once, however often it is sent."""

from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from monitor.ledger.forgetting import forget_some
from monitor.store.schema import requests
from monitor.store.sql import insert_if_missing, storable

MAX_DOC_CHARS = 20_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """One request that is still to be done; `doc` is what its reader made of it."""

    request_id: str
    doc: str


def take_in(
    connection: Connection, request_id: str, doc: str, *, asked_by: str, now_s: float
) -> bool:
    """Note a request; False if it is here already, done or not."""
    return insert_if_missing(
        connection,
        requests,
        {
            "request_id": request_id,
            "doc": storable(doc, MAX_DOC_CHARS),
            "asked_by": storable(asked_by),
            "asked_at": now_s,
        },
    )


def oldest(connection: Connection) -> Waiting | None:
    """The request that has waited longest, if any waits."""
    query = select(requests.c.request_id, requests.c.doc).where(requests.c.settled_at.is_(None))
    row = connection.execute(query.order_by(requests.c.asked_at).limit(1)).first()
    return None if row is None else Waiting(*row)


def lock(connection: Connection, request_id: str) -> bool:
    """Whether it still waits; nobody else gets it until the transaction ends."""
    query = select(requests.c.request_id).where(
        requests.c.request_id == request_id, requests.c.settled_at.is_(None)
    )
    return connection.execute(query.with_for_update()).first() is not None


def settle(connection: Connection, request_id: str, outcome: str, now_s: float) -> None:
    """It is done, or never will be."""
    connection.execute(
        update(requests)
        .where(requests.c.request_id == request_id, requests.c.settled_at.is_(None))
        .values(settled_at=now_s, outcome=storable(outcome))
    )


def prune(connection: Connection, before_s: float) -> int:
    """Forget some of what was settled before then; returns how many."""
    return forget_some(connection, requests, requests.c.settled_at < before_s)
