"""What trip rules make of an anomaly: trips, questions to people, and what a guard held back.

Whoever decides here holds the audit's head, so that the cap holds for all processes together and
a pause for each of them at once.
"""

from sqlalchemy import Connection

from alerting.alert import Alert
from alerting.killswitch import BLOCKED
from alerting.trip_policy import decide_trip
from detectors.finding import Anomaly
from monitor.ledger import agents, outbox, trip_question, trips
from monitor.ledger.response import Response
from monitor.ledger.trip_guards import held_back, lately, message, utc


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
        utc(now_s),
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
        trip_question.ask(connection, decision, alert, anomaly, response.receivers, now_s)
    elif decision.objection is not None:
        held_back(connection, rule.name, decision.objection, alert, response.receivers, now_s)
    else:
        headline = f"in mode enforce this would have cut the agent off: {decision.reason}"
        identity = f"would_trip/{alert.alert_id}/{rule.name}"
        told = message(connection, "would_trip", alert, headline, now_s)
        outbox.enqueue(connection, told, response.receivers, now_s, identity=identity)
