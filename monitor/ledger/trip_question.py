"""The question whether an agent is to be cut off: a rule asks it, a person or time answers."""

from collections.abc import Sequence

from sqlalchemy import Connection, or_, select

from alerting.alert import Alert
from alerting.message import Message
from alerting.trip_policy import Decision, Guards
from detectors.finding import Anomaly, Severity
from monitor.ledger import approvals, audit, outbox, trips
from monitor.ledger.approvals import Approval
from monitor.ledger.trip_guards import held_back, lately, message, utc
from monitor.store.schema import alerts as alerts_table
from monitor.store.schema import anomalies
from monitor.store.schema import approvals as approvals_table
from monitor.store.schema import trips as trips_table


def ask(
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
        ("until", utc(asked.expires_at).isoformat(timespec="seconds")),
        ("if nobody answers", otherwise),
        ("to cut it off", f"tripswitch approve {asked.approval_id} --reason '…'"),
        ("to let it be", f"tripswitch decline {asked.approval_id} --reason '…'"),
    )
    headline = f"is this agent to be cut off? {decision.reason}"
    told = message(connection, "trip_asked", alert, headline, now_s, details)
    identity = f"trip_asked/{asked.approval_id}"
    outbox.enqueue(connection, told, receivers, now_s, identity=identity)


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
    told = Message(
        kind="trip_not_approved",
        agent_id=approvals.about(ended),
        at=utc(now_s),
        severity=Severity.HIGH,
        headline=f"is not cut off: {why}",
        details=(("approval", ended.approval_id), ("asked by", ended.asked_by)),
    )
    identity = f"trip_not_approved/{ended.approval_id}"
    outbox.enqueue(connection, told, receivers, now_s, identity=identity)


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
    objection = guards.objection(anomaly, alert, utc(ended.asked_at), weighed)
    if objection is not None:
        name = ended.asked_by.removeprefix("rule:")
        held_back(connection, name, objection, alert, receivers, now_s)
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
