"""Rules that cut off by themselves, the findings that they see, and what people answer."""

from dataclasses import replace
from typing import Any

from sqlalchemy import select

from alerting.killswitch import AgentState
from alerting.message import Message
from alerting.trip_policy import Guards, OnTimeout, Rule
from detectors.finding import Anomaly, Severity
from monitor.ledger import (
    agents,
    approvals,
    audit,
    intake,
    pauses,
    trip_question,
)
from monitor.ledger.approvals import Approval
from monitor.ledger.response import Response
from monitor.store import Store
from monitor.store.schema import outbox
from tests.kit.events import START_S

ENFORCE = Rule("cut", mode="enforce", severity=Severity.HIGH)
WITHIN_S = 900.0
AGENT = "payroll-1"


def response(*rules: Rule, **guards: Any) -> Response:
    return Response(rules or (ENFORCE,), Guards(**guards), ["terminal"], ["registry"], 3600.0)


def asking(on_timeout: OnTimeout = "nothing", **guards: Any) -> Response:
    rule = Rule("ask", mode="approve", severity=Severity.HIGH, approve_within_s=WITHIN_S)
    return response(replace(rule, on_timeout=on_timeout), **guards)


def take_in(
    store: Store, how: Response, *found: Anomaly, at_s: float = START_S, read_at_s: float = START_S
) -> None:
    with store.ledger() as ledger:
        assert intake.record(ledger, found, how, at_s, read_at_s) == len(found)


def told(store: Store, kind: str) -> list[Message]:
    with store.read() as ledger:
        docs = ledger.execute(select(outbox.c.doc).order_by(outbox.c.seq)).scalars().all()
    messages = [Message.model_validate_json(doc) for doc in docs]
    return [message for message in messages if message.kind == kind]


def audited(store: Store, action: str) -> list[dict[str, Any]]:
    with store.read() as ledger:
        assert audit.verify(ledger) is None
        return [entry for entry in audit.entries(ledger, 1000) if entry["action"] == action]


def state(store: Store, agent_id: str = AGENT) -> AgentState:
    with store.read() as ledger:
        return agents.state_of(ledger, agent_id)


def waiting(store: Store) -> list[Approval]:
    with store.read() as ledger:
        return approvals.list_waiting(ledger)


def decide(store: Store, approved: bool, at_s: float = START_S + 10) -> None:
    (asked,) = waiting(store)
    with store.ledger() as ledger:
        decided = approvals.decide(
            ledger, asked.approval_id, by="os:ann", approve=approved, reason="why", now_s=at_s
        )
        if approved:
            trip_question.carry_out_approved(ledger, decided, ["registry"], ["terminal"], at_s)
        else:
            trip_question.tell_not_approved(ledger, decided, ["terminal"], at_s)


def pause(store: Store, by: str = "os:ann", at_s: float = START_S - 1, **changes: Any) -> None:
    values: dict[str, Any] = {"reason": "release", "lasts_s": 3600.0, **changes}
    with store.ledger() as ledger:
        pauses.pause(ledger, by=by, now_s=at_s, receivers=["terminal"], **values)


def resume(store: Store, at_s: float) -> pauses.Pause:
    with store.ledger() as ledger:
        return pauses.resume(
            ledger, reason="it is out", by="os:bob", now_s=at_s, receivers=["terminal"]
        )
