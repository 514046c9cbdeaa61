"""Anomalies that become alerts and incidents, and what people do about them."""

from typing import Any

from sqlalchemy import select

from alerting.message import Message
from alerting.mute import Matcher
from alerting.trip_policy import Guards
from detectors.finding import Anomaly
from monitor.ledger import (
    alerts,
    changes,
    incidents,
    intake,
    lifecycle,
    mutes,
)
from monitor.ledger.response import Response
from monitor.store import Store, schema
from tests.kit.anomalies import anomaly
from tests.kit.events import START_S

RESPONSE = Response([], Guards(), ["slack"], ["registry"], quiet_s=3600.0)
HOUR_S = 3600.0
REMIND_S = 4 * HOUR_S


def odd(agent: object, name: str = "a", **fields: Any) -> Anomaly:
    values = {
        "agent_id": f"{agent}",
        "role": f"role of {agent}",
        "trace_id": f"run of {agent}",
        "detector": "new_target",
        "calibration": "calibrated",
        "p_value": 1e-4,
    }
    return anomaly(f"{name}-{agent}", **{**values, **fields})


def record(store: Store, *found: Anomaly, at_s: float = START_S, how: Response = RESPONSE) -> int:
    with store.ledger() as ledger:
        return intake.record(ledger, found, how, at_s)


def messages(store: Store) -> list[Message]:
    with store.read() as ledger:
        docs = ledger.execute(select(schema.outbox.c.doc).order_by(schema.outbox.c.seq)).scalars()
        return [Message.model_validate_json(doc) for doc in docs]


def kinds(store: Store) -> list[str]:
    return [message.kind for message in messages(store)]


def alert_of(store: Store, agent_id: str) -> Any:
    with store.read() as ledger:
        return alerts.latest(ledger, [agent_id])[agent_id]


def incident_of(store: Store, agent_id: str) -> Any:
    with store.read() as ledger:
        return incidents.of_alert(ledger, alerts.latest(ledger, [agent_id])[agent_id])


def history(store: Store, agent_id: str) -> list[tuple[str, str]]:
    with store.read() as ledger:
        found = changes.history(ledger, alert_of(store, agent_id).alert_id)
    return [(one.change, one.by) for one in found]


def everything(store: Store) -> dict[str, list[Any]]:
    tables = (
        schema.alerts,
        schema.incidents,
        schema.alert_changes,
        schema.outbox,
        schema.anomalies,
    )
    with store.read() as ledger:
        return {t.name: list(ledger.execute(select(t)).all()) for t in tables}


def quiet(store: Store, at_s: float) -> int:
    with store.ledger() as ledger:
        return alerts.resolve_what_is_quiet(ledger, ["slack"], HOUR_S, at_s)


def ack(store: Store, wanted: str, at_s: float = START_S + 1) -> lifecycle.Changed:
    with store.ledger() as ledger:
        return lifecycle.acknowledge(
            ledger, wanted, by="os:ann", reason="mine", receivers=["slack"], now_s=at_s
        )


def resolve(store: Store, wanted: str, at_s: float = START_S + 2) -> lifecycle.Changed:
    with store.ledger() as ledger:
        return lifecycle.resolve(
            ledger, wanted, by="os:ann", reason="done", receivers=["slack"], now_s=at_s
        )


def mute(store: Store, at_s: float = START_S, lasts_s: float = HOUR_S, **about: Any) -> str:
    with store.ledger() as ledger:
        return mutes.mute(
            ledger, Matcher(**about), reason="work", by="os:ann", now_s=at_s, lasts_s=lasts_s
        ).mute_id
