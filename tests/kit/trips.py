"""Orders about an agent, and the attempts at its point, as tests give and report them."""

from typing import Any

from sqlalchemy import select

from monitor.ledger import trips
from monitor.store import Store
from monitor.store.schema import outbox

POINTS = ("registry", "kafka")
RECEIVERS = ("terminal",)
NOW = 1_700_000_000.0
LEASE_S = 10.0
PROBATION_S = 5.0


def kill(store: Store, now_s: float = NOW, agent_id: str = "a", **changes: Any) -> trips.Trip:
    values: dict[str, Any] = {
        "reason": "why",
        "ordered_by": "os:alice",
        "automatic": False,
        "points": POINTS,
        "receivers": RECEIVERS,
    }
    with store.ledger() as ledger:
        return trips.order_kill(ledger, agent_id=agent_id, now_s=now_s, **{**values, **changes})


def restore(store: Store, now_s: float = NOW, by: str = "os:bob") -> trips.Trip:
    with store.ledger() as ledger:
        return trips.order_restore(
            ledger,
            agent_id="a",
            reason="false alarm",
            ordered_by=by,
            now_s=now_s,
            probation_s=PROBATION_S,
            receivers=RECEIVERS,
        )


def lease(store: Store, now_s: float) -> list[trips.Leased]:
    with store.ledger() as ledger:
        return trips.lease_due(ledger, "me", now_s, LEASE_S, only=("kafka",))


def settle(store: Store, leased: trips.Leased, now_s: float, error: str | None = None) -> bool:
    with store.ledger() as ledger:
        return trips.settle_point(ledger, leased, error=error, receivers=RECEIVERS, now_s=now_s)


def get(store: Store, trip_id: str) -> trips.Trip:
    with store.read() as ledger:
        return trips.get(ledger, trip_id)


def point(trip: trips.Trip, name: str = "kafka") -> trips.Point:
    return next(p for p in trip.points if p.point == name)


def kinds(store: Store) -> list[str]:
    with store.read() as ledger:
        docs = ledger.execute(select(outbox.c.doc).order_by(outbox.c.seq)).scalars().all()
    return [doc.split('"kind":"')[1].split('"')[0] for doc in docs]


def watch(store: Store, trip: trips.Trip, watched_to: int, at_s: float, **seen: Any) -> bool:
    values: dict[str, Any] = {"effective": [], "refused": 0, "receivers": RECEIVERS, **seen}
    with store.ledger() as ledger:
        return trips.record_watch(ledger, trip.trip_id, watched_to=watched_to, now_s=at_s, **values)
