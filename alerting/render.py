r"""From a message to what people read: clean parts, and of them the lines for a terminal.

Everything in a message may have been written by an attacker, so it passes through here:

- `clean` makes a text safe for a terminal, a table or a log: whatever could move the cursor,
  reorder, hide or break lines is shown as its escape instead (`\x1b`, `\u202e`).
- The command that a person is to paste is quoted for the shell, and is never cut short.
"""

import re
import shlex
import unicodedata
from typing import Final, NamedTuple

from alerting.alert import Alert
from alerting.incident import Incident
from alerting.message import Message, MessageKind
from alerting.sparkline import sparkline
from detectors import explain
from detectors.finding import Anomaly

MAX_LINE_CHARS: Final = 600
MAX_VALUE_CHARS: Final = 200
MAX_LABEL_CHARS: Final = 40
MAX_COMMAND_CHARS: Final = 1500
MAX_DETAILS: Final = 8
MAX_DETAILS_ALONE: Final = 20
"""Of a message without an alert, such as a digest."""
"""Together these keep a message under Slack's 3000 characters a text and, with its JSON, under
the 13000 or so at which Slack answers `msg_blocks_too_long`."""

_MAX_MARKS = 4
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
"""Blank letters, joiners and variation selectors that Unicode counts as printable."""

_WORDS: Final[dict[MessageKind, str]] = {
    "opened": "alert opened",
    "raised": "alert raised",
    "updated": "alert goes on",
    "reminder": "alert is not acknowledged",
    "acknowledged": "alert acknowledged",
    "expected": "alert was expected",
    "reopened": "alert opened again",
    "resolved": "alert resolved",
    "mute_ended": "mute is over",
    "digest": "digest",
    "health": "Tripswitch itself needs help",
    "health_over": "Tripswitch itself is well again",
    "would_trip": "would have cut the agent off",
    "trip_held": "automatic trip held back",
    "trip_asked": "a person is to decide",
    "trip_not_approved": "agent is not cut off",
    "autotrip": "automatic trips",
    "trip_ordered": "agent is being cut off",
    "trip_contained": "agent is cut off",
    "trip_partial": "agent is partly cut off",
    "trip_effective": "agent still acts after it was cut off",
    "trip_silent": "agent is silent",
    "restored": "agent restored",
}
_KILL_AFTER: Final = frozenset[MessageKind](
    ("opened", "raised", "reminder", "reopened", "would_trip", "trip_held")
)
_RESTORE_AFTER: Final = frozenset[MessageKind](
    ("trip_ordered", "trip_contained", "trip_partial", "trip_silent")
)


class Rendered(NamedTuple):
    """A message in parts, all of them clean: what every receiver builds its form from.

    `facts` are label and value pairs; `order` is a label and a command to paste, or a sentence
    where no command can be given.
    """

    severity: str
    words: str
    headline: str
    facts: list[tuple[str, str]]
    order: tuple[str, str] | None


def clean(text: str, limit: int = MAX_VALUE_CHARS) -> str:
    r"""Make hostile text safe to show on one line of a terminal, table or log.

    Whatever is not plainly visible becomes its escape: control characters, terminal escapes,
    line separators, bidi controls, zero-width and blank characters, lone surrogates, and
    combining marks past the fourth in a row. Rich must be given the result as `Text` or escaped,
    for `[red]` is left as it is.

    Parameters
    ----------
    text
        Any string, of any length.
    limit
        Most characters to return, an ellipsis included; at least 1.

    Examples
    --------
    >>> clean("payroll\x1b[2J")
    'payroll\\x1b[2J'
    """
    pieces: list[str] = []
    length = marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        shown = char.isprintable() and marks <= _MAX_MARKS and not _INVISIBLE.match(char)
        piece = char if shown else char.encode("unicode_escape").decode("ascii")
        if length + len(piece) > limit:
            while length > limit - 1:
                length -= len(pieces.pop())
            return "".join(pieces) + "…"
        pieces.append(piece)
        length += len(piece)
    return "".join(pieces)


def quote_agent(agent_id: str) -> str | None:
    """Quote an agent's id so that a shell hands it over as it is, byte by byte.

    An id that `clean` would alter is written as `$'…'` with octal escapes, which bash, zsh, ksh
    and POSIX 2024 read alike. None if that cannot be: empty, too long, with a NUL, no UTF-8.
    """
    if not 0 < len(agent_id) <= MAX_COMMAND_CHARS or "\x00" in agent_id:
        return None
    if clean(agent_id, len(agent_id)) == agent_id:
        return shlex.quote(agent_id)
    try:
        raw = agent_id.encode("utf-8")
    except UnicodeEncodeError:
        return None
    plain = set(b" #%+,-./:=@_") | set(range(0x30, 0x3A)) | set(range(0x41, 0x5B))
    plain |= set(range(0x61, 0x7B))
    return "$'" + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in raw) + "'"


def command(verb: str, agent_id: str, reason: str) -> str | None:
    """`tripswitch VERB AGENT --reason …`, safe to paste; None if it cannot be written safely."""
    quoted = quote_agent(agent_id)
    if quoted is None:
        return None
    why = shlex.quote(clean(reason, MAX_LABEL_CHARS))
    if agent_id.startswith("-"):  # else the id would be taken for an option
        line = f"tripswitch {verb} --reason {why} -- {quoted}"
    else:
        line = f"tripswitch {verb} {quoted} --reason {why}"
    return line if len(line) <= MAX_COMMAND_CHARS else None


def render(message: Message) -> Rendered:
    """Say a message in clean parts."""
    many = message.incident is not None and message.incident.agent_count > 1
    facts = [("agent", clean(message.agent_id))] if message.agent_id else []
    if message.incident is not None and many:
        facts = _incident_facts(message.incident)
    owner = message.owner or (message.incident.owner if message.incident else None)
    if owner is not None:
        facts.append(("owner", clean(owner)))
    if message.alert is not None:
        facts += ([("for one", clean(message.agent_id))] if many else []) + _alert_facts(
            message.alert
        )
    if message.trip_id is not None:
        facts.append(("trip", clean(message.trip_id)))
    room = MAX_DETAILS if message.alert is not None else MAX_DETAILS_ALONE
    for label, value in message.details[:room]:
        facts.append((clean(label, MAX_LABEL_CHARS), clean(value)))
    if len(message.details) > room:
        facts.append(("more", f"{len(message.details) - room} further details left out"))
    if message.incident is not None:
        facts.append(
            ("incident", f"{clean(message.incident.incident_id)}, {message.incident.state}")
        )
    facts.append(("time", message.at.isoformat(timespec="milliseconds")))
    return Rendered(
        severity=message.severity.label.upper(),
        words=_WORDS[message.kind],
        headline=clean(message.headline, MAX_LINE_CHARS) or "–",
        facts=[(label or "–", value or "–") for label, value in facts],
        order=_order(message),
    )


def render_text(message: Message) -> list[str]:
    """Say a message in lines for a terminal or a log file; no line breaks within."""
    parts = render(message)
    facts = [fact for fact in parts.facts if fact[1] != parts.headline]  # said already
    width = max(len(label) for label, _ in facts)
    lines = [f"{parts.severity}  {parts.words}: {parts.headline}"]
    lines += [f"  {label:<{width}}  {value}" for label, value in facts]
    if parts.order is not None:
        lines += [f"  {parts.order[0]}:", f"    {parts.order[1]}"]
    return lines


def agents_of(incident: Incident) -> str:
    """Its agents in one line, clean: as many by name as it has room for, of the others a count."""
    named: list[str] = []
    for agent in incident.agents:
        name = clean(agent, MAX_LABEL_CHARS)
        if len(", ".join([*named, name])) > MAX_LINE_CHARS - MAX_LABEL_CHARS:
            break
        named.append(name)
    others = max(incident.agent_count, len(incident.agents)) - len(named)
    return ", ".join(named) + (f" and {others:,} more" if others else "")


def _incident_facts(incident: Incident) -> list[tuple[str, str]]:
    facts = [(f"{incident.agent_count:,} agents", agents_of(incident))]
    facts.append(("in common", clean(incident.sentence, MAX_LINE_CHARS)))
    kinds = clean(", ".join(incident.detectors))
    return [*facts, ("anomalies in all", f"{incident.anomaly_count:,} ({kinds})")]


def _alert_facts(alert: Alert) -> list[tuple[str, str]]:
    worst = alert.worst
    unit = clean(worst.unit, MAX_LABEL_CHARS)
    limit = f"alarms above {explain.figure(worst.threshold)}"
    facts = [
        ("why", clean(worst.text, MAX_LINE_CHARS)),
        ("observed", f"{explain.figure(worst.observed)} {unit}"),
        ("expected", f"{explain.figure(worst.expected)} {unit}, {limit}"),
    ]
    if worst.history:
        facts.append(("history", sparkline(worst.history)))
    if worst.p_value is not None:
        facts.append(("by chance", explain.chance(worst)))
    if not alert.calibrated:
        facts.append(("uncalibrated", "an estimate; by itself it never cuts an agent off"))
    facts.append(("severity", alert.severity.label))
    if alert.state == "acknowledged" and alert.acknowledged_by is not None:
        facts.append(("acknowledged by", clean(alert.acknowledged_by)))
    if alert.role is not None:
        facts.append(("role", clean(alert.role)))
    if worst.trace_id is not None:
        facts.append(("run", clean(worst.trace_id)))
    kinds = clean(", ".join(alert.detectors))
    return [
        *facts,
        ("did", did(worst)),
        ("evidence", evidence(worst)),
        ("anomalies", f"{alert.anomaly_count:,} ({kinds})"),
        ("alert", clean(alert.alert_id)),
    ]


def did(anomaly: Anomaly) -> str:
    """Action, tool and target of the event, clean."""
    done = [anomaly.action, *(part for part in (anomaly.tool, anomaly.target) if part)]
    return " · ".join(clean(part, 100) for part in done)


def evidence(anomaly: Anomaly) -> str:
    """The place of the event, clean."""
    place = f"{clean(anomaly.source)}, partition {anomaly.partition}, offset {anomaly.offset}"
    return f"{place}, event {clean(anomaly.event_id, 100)}"


def _order(message: Message) -> tuple[str, str] | None:
    if message.kind in _KILL_AFTER:
        verb, label = "kill", "to cut it off"
    elif message.kind in _RESTORE_AFTER:
        verb, label = "restore", "to give it back"
    else:
        return None
    if not message.agent_id and message.alert is None:
        return None  # about no agent, or about a whole fleet
    about = f"trip {message.trip_id}"
    if message.alert is not None:
        about = f"alert {message.alert.alert_id}"
    elif message.incident is not None:
        about = f"incident {message.incident.incident_id}"
    line = command(verb, message.agent_id, about)
    if line is None:
        return label, "this id cannot be pasted safely: take it from `tripswitch alerts --json`"
    return label, line
