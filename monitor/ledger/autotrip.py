"""What trip rules make of an anomaly: trips, questions to people, and what a guard held back.

Whoever decides here holds the audit's head, so that the cap holds for all processes together and
a pause for each of them at once.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, func, or_, select

from alerting.alert import Alert
from alerting.killswitch import BLOCKED
from alerting.message import Message, MessageKind
from alerting.trip_policy import Decision, Guards, Lately, Objection, decide_trip
from detectors.finding import Anomaly, Severity
from monitor.ledger import agents, approvals, audit, incidents, outbox, pauses, trips
from monitor.ledger.approvals import Approval
from monitor.ledger.response import Response
from monitor.store.schema import alerts as alerts_table
from monitor.store.schema import anomalies
from monitor.store.schema import approvals as approvals_table
from monitor.store.schema import trips as trips_table

HOUR_S: Final = 3600.0


def lately(connection: Connection, agent_id: str, now_s: float) -> Lately:
    """What the guards weigh. The audit's head is locked."""
    paused = pauses.current(connection, now_s)
    restored_s = connection.execute(
        select(func.max(trips_table.c.restore_ordered_at)).where(trips_table.c.agent_id == agent_id)
    ).scalar()
    return Lately(
        trips=trips.automatic_since(connection, now_s - HOUR_S),
        paused=None if paused is None else paused.words(),
        restored_at=None if restored_s is None else _utc(restored_s),
    )


def respond(
    connection: Connection,
    alert: Alert,
    anomaly: Anomaly,
    response: Response,
    now_s: float,
    read_at_s: float | None,
) -> None:
    """Do what the trip rules say of a new anomaly of an agent that is not cut off already.

    Parameters
    ----------
    alert
        The one that the anomaly joined.
    read_at_s
        When the evidence was read, in seconds since the epoch.
    """
    if not any(rule.matches(anomaly) for rule in response.rules):
        return
    agent_id = anomaly.agent_id
    if agents.state_of(connection, agent_id) in BLOCKED:
        return
    decision = decide_trip(
        response.rules,
        response.guards,
        anomaly,
        alert,
        _utc(now_s),
        lately(connection, agent_id, now_s),
    )
    if decision is None:
        return
    rule = decision.rule
    if decision.outcome == "trip":
        trips.order_kill(
            connection,
            agent_id=agent_id,
            reason=decision.reason,
            ordered_by=f"rule:{rule.name}",
            automatic=True,
            now_s=now_s,
            points=response.points,
            receivers=response.receivers,
            anomaly_id=anomaly.anomaly_id,
            anomaly_at=anomaly.time.timestamp(),
            read_at=read_at_s,
        )
    elif decision.outcome == "ask":
        _ask(connection, decision, alert, anomaly, response.receivers, now_s)
    elif decision.objection is not None:
        _hold(connection, rule.name, decision.objection, alert, response.receivers, now_s)
    else:
        headline = f"in mode enforce this would have cut the agent off: {decision.reason}"
        identity = f"would_trip/{alert.alert_id}/{rule.name}"
        message = _message(connection, "would_trip", alert, headline, now_s)
        outbox.enqueue(connection, message, response.receivers, now_s, identity=identity)


def end_unanswered(
    connection: Connection,
    guards: Guards,
    points: Sequence[str],
    receivers: Sequence[str],
    now_s: float,
) -> list[Approval]:
    """End the questions that nobody answered in time, and do what was to be done then.

    A trip by time-out passes the guards as any automatic one does; the age of its evidence is
    what it was when the question was asked. An order about the agent that came after the question
    has answered it.
    """
    audit.lock(connection)
    over = []
    for waiting in approvals.expired(connection, now_s):
        ended = approvals.expire(connection, waiting.approval_id, now_s)
        over.append(ended)
        if ended.kind == "trip" and ended.on_expiry == "trip":
            _trip_unanswered(connection, ended, guards, points, receivers, now_s)
        else:
            tell_not_approved(connection, ended, receivers, now_s)
    return over


def carry_out_approved(
    connection: Connection,
    approved: Approval,
    points: Sequence[str],
    receivers: Sequence[str],
    now_s: float,
) -> trips.Trip:
    """Cut the agent off as the person who approved orders it; no guard holds that back."""
    assert approved.decided_by is not None  # `decide` wrote it
    return trips.order_kill(
        connection,
        agent_id=approved.subject,
        reason=f"{approved.reason}; approved: {approved.decided_reason}",
        ordered_by=approved.decided_by,
        automatic=False,
        now_s=now_s,
        points=points,
        receivers=receivers,
        anomaly_id=approved.anomaly_id,
        anomaly_at=approved.anomaly_at,
    )


def tell_not_approved(
    connection: Connection, ended: Approval, receivers: Sequence[str], now_s: float
) -> None:
    """Tell that a question was declined, or that its time is over and nothing is done."""
    if ended.state == "declined":
        why = f"{ended.decided_by} declined: {ended.decided_reason}"
    else:
        why = "nobody approved in time"
    message = Message(
        kind="trip_not_approved",
        agent_id=approvals.about(ended),
        at=_utc(now_s),
        severity=Severity.HIGH,
        headline=f"is not cut off: {why}",
        details=(("approval", ended.approval_id), ("asked by", ended.asked_by)),
    )
    identity = f"trip_not_approved/{ended.approval_id}"
    outbox.enqueue(connection, message, receivers, now_s, identity=identity)


def _ask(
    connection: Connection,
    decision: Decision,
    alert: Alert,
    anomaly: Anomaly,
    receivers: Sequence[str],
    now_s: float,
) -> None:
    """Ask a person; the same alert asks again only with worse evidence than was decided on."""
    if _answered(connection, alert, anomaly):
        return
    rule = decision.rule
    asked = approvals.ask(
        connection,
        kind="trip",
        subject=anomaly.agent_id,
        reason=decision.reason,
        asked_by=f"rule:{rule.name}",
        now_s=now_s,
        lasts_s=rule.approve_within_s,
        on_expiry=rule.on_timeout,
        anomaly_id=anomaly.anomaly_id,
        anomaly_at=anomaly.time.timestamp(),
    )
    otherwise = "it is cut off" if asked.on_expiry == "trip" else "nothing is done"
    details = (
        ("until", _utc(asked.expires_at).isoformat(timespec="seconds")),
        ("if nobody answers", otherwise),
        ("to cut it off", f"tripswitch approve {asked.approval_id} --reason '…'"),
        ("to let it be", f"tripswitch decline {asked.approval_id} --reason '…'"),
    )
    headline = f"is this agent to be cut off? {decision.reason}"
    message = _message(connection, "trip_asked", alert, headline, now_s, details)
    identity = f"trip_asked/{asked.approval_id}"
    outbox.enqueue(connection, message, receivers, now_s, identity=identity)


def _answered(connection: Connection, alert: Alert, anomaly: Anomaly) -> bool:
    """Whether the alert's question was answered on evidence that was as severe."""
    query = (
        select(1)
        .select_from(approvals_table)
        .join(anomalies, anomalies.c.anomaly_id == approvals_table.c.anomaly_id)
        .where(
            approvals_table.c.kind == "trip",
            approvals_table.c.subject == anomaly.agent_id,
            approvals_table.c.state != "waiting",
            anomalies.c.alert_id == alert.alert_id,
            anomalies.c.severity >= int(anomaly.severity),
        )
    )
    return connection.execute(query.limit(1)).first() is not None


def _trip_unanswered(
    connection: Connection,
    ended: Approval,
    guards: Guards,
    points: Sequence[str],
    receivers: Sequence[str],
    now_s: float,
) -> None:
    found = _evidence(connection, ended)
    if found is None or _ordered_since(connection, ended):
        tell_not_approved(connection, ended, receivers, now_s)
        return
    anomaly, alert = found
    weighed = lately(connection, ended.subject, now_s)
    objection = guards.objection(anomaly, alert, _utc(ended.asked_at), weighed)
    if objection is not None:
        name = ended.asked_by.removeprefix("rule:")
        _hold(connection, name, objection, alert, receivers, now_s)
        return
    trips.order_kill(
        connection,
        agent_id=ended.subject,
        reason=f"{ended.reason}; nobody answered in time",
        ordered_by=ended.asked_by,
        automatic=True,
        now_s=now_s,
        points=points,
        receivers=receivers,
        anomaly_id=ended.anomaly_id,
        anomaly_at=ended.anomaly_at,
    )


def _evidence(connection: Connection, approval: Approval) -> tuple[Anomaly, Alert] | None:
    """What a rule asked about, and the alert as it is now; None if retention took it."""
    row = connection.execute(
        select(anomalies.c.doc, alerts_table.c.doc.label("alert"))
        .join(alerts_table, alerts_table.c.alert_id == anomalies.c.alert_id)
        .where(anomalies.c.anomaly_id == approval.anomaly_id)
    ).one_or_none()
    if row is None:
        return None
    return Anomaly.model_validate_json(row.doc), Alert.model_validate_json(row.alert)


def _ordered_since(connection: Connection, approval: Approval) -> bool:
    """Whether the agent was cut off, or given back, after the question."""
    query = select(1).where(
        trips_table.c.agent_id == approval.subject,
        or_(
            trips_table.c.ordered_at >= approval.asked_at,
            trips_table.c.restore_ordered_at >= approval.asked_at,
        ),
    )
    return connection.execute(query.limit(1)).first() is not None


def _hold(
    connection: Connection,
    rule: str,
    objection: Objection,
    alert: Alert,
    receivers: Sequence[str],
    now_s: float,
) -> None:
    """Tell and audit what a guard held back, once for each alert, rule and guard."""
    headline = f"rule {rule} did not cut the agent off: {objection.words}"
    message = _message(connection, "trip_held", alert, headline, now_s)
    identity = f"trip_held/{alert.alert_id}/{rule}/{objection.guard}"
    if receivers and not outbox.enqueue(connection, message, receivers, now_s, identity=identity):
        return
    if objection.guard == "paused":
        pauses.count_held(connection, now_s)
    audit.append(
        connection,
        at_s=now_s,
        actor=f"rule:{rule}",
        action="automatic trip held back",
        subject=alert.agent_id,
        doc={"alert_id": alert.alert_id, "guard": objection.guard},
        text={"reason": objection.words},
    )


def _message(
    connection: Connection,
    kind: MessageKind,
    alert: Alert,
    headline: str,
    now_s: float,
    details: tuple[tuple[str, str], ...] = (),
) -> Message:
    return Message(
        kind=kind,
        agent_id=alert.agent_id,
        at=_utc(now_s),
        severity=alert.severity,
        headline=headline,
        details=details,
        alert=alert,
        incident=incidents.told_of(connection, alert),
    )


def _utc(time_s: float) -> datetime:
    return datetime.fromtimestamp(time_s, UTC)
