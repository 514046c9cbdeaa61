"""Who hears of a message: the routes' choice, and whoever heard of the same incident before."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from alerting.alert import Alert
from alerting.message import Message
from alerting.routes import Routing
from monitor.store.schema import alerts, outbox

_STATES = ("pending", "sent")  # named so that the index on receiver, state and stream serves


def settle(
    connection: Connection, receivers: Sequence[str], message: Message, stream: str
) -> tuple[Message, Sequence[str]]:
    """The message with role and owner filled in, and the names of those who get it.

    Who was told of an incident hears how it goes on and that it is over, whatever its severity
    and the routes have become since.

    Parameters
    ----------
    receivers
        Names, which are taken as they are, or a `Routing`, which chooses.
    stream
        Of the message.
    """
    if not isinstance(receivers, Routing):
        return message, receivers
    role = _role_of(connection, message.agent_id) if _lacks_role(receivers, message) else None
    message = receivers.addressed(message, role)
    chosen = receivers.receivers(message)
    if message.incident is None:
        return message, chosen
    told = connection.execute(
        select(outbox.c.receiver)
        .where(
            outbox.c.receiver.in_(receivers.names),
            outbox.c.state.in_(_STATES),
            outbox.c.stream == stream,
        )
        .distinct()
    ).scalars()
    return message, tuple(dict.fromkeys((*chosen, *sorted(told))))


def _lacks_role(routing: Routing, message: Message) -> bool:
    """Whether a role would matter, and is not said; a message about no agent has none."""
    return routing.asks_for_role and message.alert is None and bool(message.agent_id)


def _role_of(connection: Connection, agent_id: str) -> str | None:
    """The role in which the agent alarmed last; None if it never did."""
    doc = connection.execute(
        select(alerts.c.doc)
        .where(alerts.c.agent_id == agent_id)
        .order_by(alerts.c.opened_at.desc())
        .limit(1)
    ).scalar_one_or_none()
    return None if doc is None else Alert.model_validate_json(doc).role
