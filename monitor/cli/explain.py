"""`tripswitch explain`: the whole story of an alert."""

from typing import Annotated, Any, Final

import typer

from alerting.render import MAX_LINE_CHARS, clean, command, did, evidence, quote_agent
from alerting.sparkline import sparkline
from detectors import explain as words
from detectors.finding import Anomaly
from monitor.cli.app import ConfigOption, JsonOption, app, open_store, print_json
from monitor.documents import iso, trip_document
from monitor.ledger import story as stories
from monitor.ledger.story import Story, Told

_WAITS: Final = "waits in quarantine until several runs over some days show it, or a person says so"


@app.command(epilog="Example: tripswitch explain 3f9c0a1b2c4d")
def explain(
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="ALERT", help="An id from `alerts`, or an anomaly's; its beginning is enough."
        ),
    ],
    limit: Annotated[int, typer.Option(min=1, help="The earliest so many anomalies.")] = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell an alert's whole story: each anomaly, how rare it is, its evidence, what to do next."""
    _, store = open_store(config)
    with store.read() as ledger:
        story = stories.find(ledger, wanted, limit)
    if as_json:
        print_json(_document(story))
        return
    lines = [_summary(story), *(f"  {at}  {what}" for at, what in _life(story))]
    for anomaly in story.anomalies:
        lines += ["", *_tell(anomaly)]
    if left_out := _left_out(story):
        lines += ["", f"{left_out:,} more anomalies; --limit shows them"]
    lines += ["", "what to do next"]
    lines += [f"  {why}:\n    {line}" for why, line in _next(story)]
    typer.echo("\n".join(lines))


def _document(story: Story) -> dict[str, Any]:
    """The story as JSON: the alert's own fields, and what belongs to it; texts are whole."""
    alert = story.alert.model_dump(mode="json") if story.alert else {"alert_id": None}
    return alert | {
        "anomalies": [
            anomaly.model_dump(mode="json")
            | {
                "by_chance": words.chance(anomaly),
                "would_not_have_fired": words.ordinary(anomaly),
                "not_learned": words.not_learned(anomaly),
                "plot": sparkline(anomaly.history),
            }
            for anomaly in story.anomalies
        ],
        "anomalies_left_out": _left_out(story),
        "told": [
            told._asdict()
            | {"created_at": iso(told.created_at), "settled_at": iso(told.settled_at)}
            for told in story.told
        ],
        "trips": [trip_document(trip) for trip in story.trips],
        "next": [{"why": why, "command": line} for why, line in _next(story)],
    }


def _left_out(story: Story) -> int:
    alone = story.alert is None or len(story.anomalies) >= story.alert.anomaly_count
    return 0 if alone or story.alert is None else story.alert.anomaly_count - len(story.anomalies)


def _summary(story: Story) -> str:
    alert = story.alert
    if alert is None:
        return "an anomaly without an alert: it was only recorded, or its alert is pruned"
    lasted_s = ((alert.resolved_at or alert.last_anomaly_at) - alert.opened_at).total_seconds()
    return clean(
        f"{alert.severity.label} alert {alert.alert_id} about {alert.agent_id}"
        f" (role {alert.role or 'not said'}), {alert.state}; {alert.anomaly_count:,} anomalies"
        f" in {lasted_s / 60:.0f} minutes",
        1000,
    )


def _life(story: Story) -> list[tuple[str, str]]:
    """What became of the alert, in order of the clock: moment and sentence, clean."""
    alert = story.alert
    if alert is None:
        return []
    opened = "opened; beyond the fleet's cap, so not sent" if alert.charge == "capped" else "opened"
    life = [(alert.opened_at.timestamp(), opened)]
    life += [(told.created_at, _delivery(told)) for told in story.told]
    for trip in story.trips:
        life.append((trip.ordered_at, f"{trip.ordered_by} cut the agent off, trip {trip.trip_id}"))
        for at_s, what in (
            (trip.contained_at, "every enforcement point confirmed"),
            (trip.silent_at, "the agent is silent"),
            (trip.restore_ordered_at, f"{trip.restore_ordered_by} gave it back"),
        ):
            if at_s is not None:
                life.append((at_s, f"{what}, trip {trip.trip_id}"))
    if alert.resolved_at is not None:
        ending = f"{alert.state} by {alert.resolved_by}: {alert.resolved_reason}"
        life.append((alert.resolved_at.timestamp(), ending))
    life.sort(key=lambda moment: moment[0])
    return [(_moment(at_s), clean(what, 300)) for at_s, what in life]


def _delivery(told: Told) -> str:
    said = f"{told.kind.replace('_', ' ')} ({told.severity}) to {told.receiver}: {told.state}"
    if told.state == "sent" and told.settled_at is not None:
        return f"{said} after {max(0.0, told.settled_at - told.created_at):.1f} s"
    return f"{said}, {told.last_error}" if told.last_error else said


def _moment(at_s: float) -> str:
    return (iso(at_s) or "")[:19].replace("T", " ")


def _tell(anomaly: Anomaly) -> list[str]:
    """One anomaly in lines for a terminal; no text in it can do harm there."""
    unit = clean(anomaly.unit, 120)
    facts = [
        ("observed", f"{words.figure(anomaly.observed)} {unit}"),
        ("expected", f"{words.figure(anomaly.expected)} {unit}"),
        ("would not have fired", clean(words.ordinary(anomaly), 200)),
        ("by chance", words.chance(anomaly)),
    ]
    if anomaly.history:
        facts.append(("history", sparkline(anomaly.history)))
    facts += [("seen", clean(sentence, 300)) for sentence in anomaly.evidence[:12]]
    facts += [
        ("did", did(anomaly)),
        ("run", clean(anomaly.trace_id or "not said")),
        ("evidence", evidence(anomaly)),
    ]
    if (held := words.not_learned(anomaly)) is not None:
        facts.append(("not learned", f"{clean(held, 200)}: {_WAITS}"))
    shadow = ", shadow: recorded only" if anomaly.shadow else ""
    what = f"{anomaly.severity.label}  {clean(anomaly.detector, 60)}{shadow}"
    return [
        f"{_moment(anomaly.time.timestamp())}  {what}  ({clean(anomaly.anomaly_id, 60)})",
        f"  {clean(anomaly.text, MAX_LINE_CHARS)}",
        *(f"  {label:<20}  {value}" for label, value in facts),
    ]


def _next(story: Story) -> list[tuple[str, str]]:
    """What a person may want to do now: why, and the command, safe to paste."""
    alert, agent_id = story.alert, story.agent_id
    about = f"alert {alert.alert_id}" if alert else f"anomaly {story.anomalies[0].anomaly_id}"
    steps = [("cut the agent off", command("kill", agent_id, about))]
    if story.trips:
        steps.append(("give it back", command("restore", agent_id, about)))
    if alert is not None and alert.resolved_at is None:
        ending = f"tripswitch resolve {quote_agent(alert.alert_id)} --reason '…'"
        steps.append(("nothing is wrong, or it is over", ending))
    if (quoted := quote_agent(agent_id)) is not None:
        steps.append(("what else it raised", f"tripswitch alerts --all --agent={quoted}"))
        steps.append(("declare what it may do", f"tripswitch boundaries suggest --agent={quoted}"))
    by_id = "this id cannot be pasted safely: take it from `tripswitch alerts --json`"
    return [(why, line or by_id) for why, line in steps]
