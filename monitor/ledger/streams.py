"""Streams: what is told in order. An incident is one, and so is what is told of an agent alone."""

import hashlib

from sqlalchemy import Connection, select

from alerting.message import Message
from monitor.store.schema import alerts


def stream_of(message: Message) -> str:
    """The stream of a message: its incident's, else its agent's."""
    if message.incident is not None:
        return of_incident(message.incident.incident_id)
    return of_agent(message.agent_id)


def of_agent(agent_id: str) -> str:
    """The stream of what is told about an agent alone."""
    return digest(agent_id)  # hashed: an id can be longer than what PostgreSQL takes into an index


def of_incident(incident_id: str) -> str:
    """The stream of what is told about an incident."""
    return digest("incident", incident_id)


def about(connection: Connection, agent_id: str) -> list[str]:
    """Every stream in which an agent is told of: its own first, then those of its incidents."""
    query = select(alerts.c.incident_id).where(alerts.c.agent_id == agent_id).distinct()
    incidents = connection.execute(query).scalars()
    return [of_agent(agent_id), *(of_incident(one) for one in incidents if one)]


def digest(*parts: str) -> str:
    """Hash of the parts, length-prefixed, so that no choice of names makes two things one."""
    hashed = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        hashed.update(len(data).to_bytes(4, "big") + data)
    return hashed.hexdigest()[:32]
