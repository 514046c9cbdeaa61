"""Incidents as they are told in Slack."""

from typing import Any

from alerting.incident import Incident
from alerting.message import Message
from alerting.notify.slack import SlackReceiver
from detectors.finding import Severity
from tests.kit.messages import AT, message
from tests.kit.slack_server import (
    CHANNEL,
    TOKEN,
    SlackServer,
)


def receiver(slack: SlackServer, **options: Any) -> SlackReceiver:
    values = {"timeout_s": 5.0, "gap_s": 0.0, **options}
    channel = values.pop("channel", CHANNEL)
    return SlackReceiver(channel, TOKEN, slack.url, **values)


def incident(**changes: Any) -> Incident:
    values: dict[str, Any] = {
        "incident_id": "inc-1",
        "severity": Severity.HIGH,
        "opened_at": AT,
        "last_anomaly_at": AT,
        "agents": ("payroll-7",),
    }
    return Incident(**{**values, **changes})


def told(kind: str, headline: str = "it does odd things", **changes: Any) -> Message:
    return message(**{"kind": kind, "headline": headline, "incident": incident(), **changes})


def header(posted: dict[str, Any]) -> str:
    return str(posted["blocks"][0]["text"]["text"])
