"""Who gets a message, decided as it is put into the outbox."""

import json
from typing import Any

from sqlalchemy import select

from alerting.incident import Incident
from alerting.message import Message
from alerting.routes import Owner, Route, Routing
from detectors.finding import Severity
from monitor.ledger import alerts, outbox
from monitor.store import Store, schema
from tests.kit.messages import AT, alert, message

NOW = 1_000.0
CRITICAL = Route(name="critical", receivers=("pager",), severity=Severity.CRITICAL)
OWNER = Owner(name="team-payments", roles=("payroll",))
ROUTING = Routing(("slack", "pager"), (CRITICAL,), ("slack",), (OWNER,))
INCIDENT = Incident(
    incident_id="i1",
    severity=Severity.HIGH,
    opened_at=AT,
    last_anomaly_at=AT,
    agents=("payroll-7",),
)


def put(store: Store, told: Message, routing: Any = ROUTING, identity: str = "x") -> None:
    with store.ledger() as ledger:
        outbox.enqueue(ledger, told, routing, NOW, identity=identity)


def rows(store: Store, state: str = "pending") -> list[tuple[str, dict[str, Any]]]:
    query = select(schema.outbox).where(schema.outbox.c.state == state)
    with store.read() as ledger:
        found = ledger.execute(query.order_by(schema.outbox.c.seq)).all()
    return [(row.receiver, json.loads(row.doc)) for row in found]


def test_names_are_taken_as_they_are(store: Store) -> None:
    put(store, message(), ["anybody"])
    ((receiver, doc),) = rows(store)
    assert (receiver, doc["owner"]) == ("anybody", None)


def test_a_routing_chooses_and_names_the_owner(store: Store) -> None:
    put(store, message(), identity="a")
    put(store, message(severity=Severity.CRITICAL), identity="b")
    assert [(receiver, doc["owner"]) for receiver, doc in rows(store)] == [
        ("slack", "team-payments"), ("pager", "team-payments"),
    ]  # fmt: skip


def test_the_role_of_a_trip_is_that_of_the_agents_last_alert(store: Store) -> None:
    trip = message(kind="trip_ordered", alert=None, agent_id="payroll-7", severity=Severity.HIGH)
    put(store, trip, identity="unknown")
    with store.ledger() as ledger:
        alerts.store(ledger, [alert()])
    put(store, trip, identity="known")
    assert [doc["owner"] for _, doc in rows(store)] == [None, "team-payments"]


def test_who_was_told_of_an_incident_hears_how_it_ends(store: Store) -> None:
    put(store, message(incident=INCIDENT), identity="opened")
    worse = message(kind="raised", severity=Severity.CRITICAL, incident=INCIDENT)
    put(store, worse, identity="raised")
    other = INCIDENT.model_copy(update={"incident_id": "i2"})
    put(store, message(severity=Severity.CRITICAL, agent_id="b", incident=other), identity="other")
    assert [receiver for receiver, _ in rows(store)] == ["slack", "pager", "slack", "pager"]


def test_a_message_that_all_refuse_goes_to_the_fallback_once(store: Store) -> None:
    put(store, message(), ["pager", "chat"])
    for receiver in ("pager", "chat", "slack"):
        with store.ledger() as ledger:
            (taken,) = outbox.take_due(ledger, [receiver], NOW, 30.0, 5)
            outbox.mark_dead(ledger, taken, NOW, "refused", ["slack", "pager"])
        expected = {"pager": ["chat"], "chat": ["slack"], "slack": []}[receiver]
        assert [name for name, _ in rows(store)] == expected
    assert [doc["headline"] for _, doc in rows(store, "dead")] == [message().headline] * 3


def test_a_message_that_somebody_took_needs_no_fallback(store: Store) -> None:
    put(store, message(), ["pager", "chat"])
    with store.ledger() as ledger:
        taken = outbox.take_due(ledger, ["pager"], NOW, 30.0, 5)
        outbox.mark_sent(ledger, taken[0], NOW)
        (lost,) = outbox.take_due(ledger, ["chat"], NOW, 30.0, 5)
        outbox.mark_dead(ledger, lost, NOW, "refused", ["slack"])
    assert rows(store) == []
