"""Messages to tell, with anything of them replaceable, and texts that try to do harm."""

import re
from datetime import UTC, datetime
from typing import Any, Final

from hypothesis import strategies as st

from alerting.alert import Alert, alert_id
from alerting.message import Message
from detectors.finding import Anomaly, Severity, anomaly_id

ANY_TEXT: Final = st.text(st.characters(codec=None))
UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
"""What a terminal obeys, or what hides or reorders text."""

AT: Final = datetime(2026, 2, 1, 3, 0, tzinfo=UTC)

HOSTILE: Final = (
    "<!channel> <!here> <@U024BE7LH> <#C024BE7LR|general> <https://evil.example|click>",
    "@channel @here @everyone #general",
    "*bold* _italic_ ~strike~ `code` ```block``` :rotating_light:",
    "https://evil.example/a?b=c evil.example mailto:a@evil.example tel:112",
    "&lt;!channel&gt; &amp;lt;",
    "\x1b[2J\x1b]0;title\x07\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "\x9b31m\x90q\x9c\x7f\x00\x08\r\nfake line\x0b\x0c\x85\u2028\u2029",
    "\u202eexe.txt\u202c \u2066isolate\u2069 \u061c\u200e\u200f",
    "zero\u200b\u200c\u200d\u2060\ufeffwidth \u3164\u2800\u115f\uffa0 \U000e0041\U000e0101",
    "lone \ud800 surrogate \udfff",
    "z" + "\u0335\u0321\u0336" * 50,
    "'; rm -rf / #$(reboot)`reboot`\"\\ !! ${IFS} | & > /etc/passwd",
    "[red]rich[/red] [link=https://evil.example]markup[/link]",
    "'; DROP TABLE outbox; --",
    "--reason",
    "x" * 1_000_000,
    "",
)


def anomaly(**changes: Any) -> Anomaly:
    values: dict[str, Any] = {
        "anomaly_id": anomaly_id("payroll-7", "new_target", "bank.example", "run-1"),
        "agent_id": "payroll-7",
        "role": "payroll",
        "agent_version": None,
        "trace_id": "run-1",
        "event_id": "event-1",
        "time": AT,
        "detector": "new_target",
        "severity": Severity.HIGH,
        "p_value": 0.0004,
        "calibration": "calibrated",
        "observed": 1.0,
        "expected": 0.002,
        "unit": "new targets",
        "threshold": 0.0,
        "text": "sent to bank.example, where it never sent anything",
        "action": "send",
        "tool": "mail",
        "target": "bank.example",
        "effect": "external",
        "data_class": None,
        "source": "agent-actions",
        "partition": 2,
        "offset": 991,
    }
    return Anomaly(**{**values, **changes})


def alert(worst: Anomaly | None = None, **changes: Any) -> Alert:
    worst = worst or anomaly()
    values: dict[str, Any] = {
        "alert_id": alert_id(worst.anomaly_id),
        "agent_id": worst.agent_id,
        "role": worst.role,
        "severity": worst.severity,
        "opened_at": AT,
        "last_anomaly_at": AT,
        "anomaly_count": 3,
        "detectors": ("new_target", "rate"),
        "worst": worst,
        "calibrated": True,
    }
    return Alert(**{**values, **changes})


def message(**changes: Any) -> Message:
    about = changes.get("alert") or alert()
    values: dict[str, Any] = {
        "kind": "opened",
        "agent_id": about.agent_id,
        "at": AT,
        "severity": about.severity,
        "headline": "payroll-7 does what it never did",
        "alert": about,
    }
    return Message(**{**values, **changes})


def hostile_message(text: str) -> Message:
    """A message in which every text is the hostile one."""
    worst = anomaly(
        agent_id=text,
        role=text,
        trace_id=text,
        event_id=text,
        unit=text,
        text=text,
        action=text,
        tool=text,
        target=text,
        source=text,
    )
    return message(
        alert=alert(worst, alert_id=text, detectors=(text,) * 9),
        headline=text,
        details=((text, text),) * 40,
        trip_id=text,
    )
