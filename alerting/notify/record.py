"""A message as data for machines: one record everywhere, and the values that templates may name.

Every text is cleaned as for a terminal, so that whoever shows it shows text: what is not plainly
visible stands as its escape, and what is long is cut.
"""

import html
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from alerting.message import Message
from alerting.render import clean, render, render_text
from alerting.routes import GROUPS, Subject

Escape = Literal["none", "markdown", "html"]

MAX_ID_CHARS: Final = 1024
MAX_TITLE_CHARS: Final = 120
_FREE: Final = (
    "headline",
    "title",
    "text",
    "agent_id",
    "agents",
    "role",
    "owner",
    "detectors",
    "command",
)
"""Texts that may come from outside; the others are our own words, ids and times."""
TEXTS: Final = (
    *_FREE,
    "kind",
    "group",
    "words",
    "severity",
    "at",
    "key",
    "thread",
    "incident_id",
    "alert_id",
    "trip_id",
    "approval_id",
    "agent_count",
)
"""What templates may name, as `$headline`."""
TABLES: Final = ("facts", "message")
"""What stands for data, and so alone: the labelled facts, and the whole record."""


def record(message: Message, key: str) -> dict[str, Any]:
    """All that is told, as JSON can hold it."""
    parts, about, incident = render(message), Subject.of(message), message.incident
    return {
        "key": key,
        "kind": message.kind,
        "group": about.group,
        "words": parts.words,
        "severity": message.severity.label,
        "at": message.at.isoformat(),
        "headline": parts.headline,
        "thread": thread_of(message),
        "agent_id": clean(message.agent_id, MAX_ID_CHARS),
        "agents": [clean(agent, MAX_ID_CHARS) for agent in about.agents],
        "agent_count": incident.agent_count if incident else len(about.agents),
        "role": clean(about.roles[0]) if about.roles else None,
        "owner": clean(about.owner) if about.owner else None,
        "detectors": [clean(detector) for detector in about.detectors],
        "incident_id": clean(incident.incident_id) if incident else None,
        "alert_id": clean(message.alert.alert_id) if message.alert else None,
        "trip_id": clean(message.trip_id) if message.trip_id else None,
        "approval_id": clean(message.approval_id) if message.approval_id else None,
        "facts": dict(parts.facts),
        "command": parts.order[1] if parts.order else None,
    }


def values(message: Message, key: str, escape: Escape = "none") -> dict[str, Any]:
    """What each placeholder stands for: texts, the number `$agent_count`, and the tables.

    Parameters
    ----------
    escape
        What the other side would read into texts, and so is disarmed in those from outside.
    """
    disarm, whole = _ESCAPES[escape], record(message, key)
    texts = {
        name: ", ".join(value) if isinstance(value, list) else value or ""
        for name, value in whole.items()
        if name != "facts"
    }
    texts["title"] = clean(f"{message.severity.label}: {whole['headline']}", MAX_TITLE_CHARS)
    texts["text"] = "\n".join(render_text(message))
    return {
        **{name: disarm(text) if name in _FREE else text for name, text in texts.items()},
        "agent_count": whole["agent_count"],
        "facts": {label: disarm(value) for label, value in whole["facts"].items()},
        "message": whole,
    }


def thread_of(message: Message) -> str:
    """What is one story to whoever is told: the incident, else the alert, trip or condition."""
    if message.incident is not None:
        return clean(message.incident.incident_id)
    if message.alert is not None:
        return clean(message.alert.alert_id)
    known = message.trip_id or message.story
    return clean(known or f"{GROUPS[message.kind]} {message.agent_id}".strip())


def _markdown(text: str) -> str:
    """Text that a chat tool shows as it is: no mark, link, mention or emoji is left in it.

    Marks are escaped; what tools make links and mentions of without any mark is set apart in
    brackets, as security people are used to.
    """
    text = re.sub(r"[\\`*_{}\[\]()<>#+!|~&-]", r"\\\g<0>", text)
    return re.sub(r"@|:(?=\S)|\.(?=[^\W\d])", r"\[\g<0>\]", text)


_ESCAPES: Final[Mapping[Escape, Callable[[str], str]]] = {
    "none": str,
    "markdown": _markdown,
    "html": html.escape,
}
