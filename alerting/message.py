"""A message: what a receiver is to tell people, as plain data that the outbox can keep."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from alerting.alert import Alert
from alerting.incident import Incident
from detectors.finding import SeverityField

MessageKind = Literal[
    "opened",  # an alert was opened
    "raised",  # its severity rose
    "updated",  # nothing that needs telling again: what was told is changed in place
    "reminder",  # nobody has acknowledged it
    "acknowledged",
    "expected",  # a person says that it is as it should be
    "reopened",
    "resolved",
    "mute_ended",  # with what it hid
    "digest",
    "health",  # something is wrong with the monitor itself
    "health_over",
    "would_trip",  # a rule in mode observe would have cut the agent off
    "trip_held",  # a guard stopped an automatic trip
    "trip_asked",  # a rule asks a person whether to cut the agent off
    "trip_not_approved",  # a person declined, or nobody approved in time
    "autotrip",  # automatic trips were paused, or are in force again
    "trip_ordered",
    "trip_contained",
    "trip_partial",
    "trip_effective",  # an action succeeded after containment
    "trip_silent",
    "restored",
]


class Message(BaseModel):
    """One thing to tell. Every text in it may come from an attacker; receivers escape."""

    model_config = ConfigDict(frozen=True)

    kind: MessageKind
    agent_id: str
    at: datetime
    severity: SeverityField
    headline: str
    """One sentence, plain text."""
    details: tuple[tuple[str, str], ...] = ()
    """Further label and value pairs, plain text."""
    alert: Alert | None = None
    incident: Incident | None = None
    """As it stood then; everything about one incident goes into one thread."""
    trip_id: str | None = None
    approval_id: str | None = None
    story: str | None = None
    """Id of what it is about where that is no incident and no trip, such as a condition."""
    role: str | None = None
    """Of the agent, where the alert does not say it."""
    owner: str | None = None
    """Who is responsible, as the settings say."""
    mention: str | None = None
    """Id of the user or user group that Slack mentions as the owner."""

    @property
    def thread(self) -> str | None:
        """What keeps messages together: the incident; None if the message stands alone."""
        return self.incident.incident_id if self.incident is not None else None
