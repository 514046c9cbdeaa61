"""A comparison of two settings as people read it; no text in it can do harm in a terminal."""

from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from alerting.render import clean

_LISTED: Final = 10
_ROWS: Final = (
    ("anomalies", "anomalies"),
    ("in shadow", "in_shadow"),
    ("agents alarmed", "agents_alarmed"),
    ("runs alarmed", "runs_alarmed"),
    ("share of runs", "share_of_runs"),
    ("alerts opened", "alerts"),
    ("  not sent: fleet's cap", "alerts_capped"),
    ("trips", "trips"),
    ("would ask", "would_ask"),
    ("would trip", "would_trip"),
    ("trips held back", "held"),
)


def view(document: dict[str, Any]) -> RenderableType:
    """Both settings beside each other, then what only one of them raised."""
    a, b = document["a"], document["b"]
    table = Table("", box=None)
    for side in (a, b):
        table.add_column(Text(clean(side["config"], 40)), justify="right")
    for label, key in _ROWS:
        table.add_row(label, *(_figure(key, side[key]) for side in (a, b)))
    for heading, key in (("by severity", "by_severity"), ("by agent", "by_agent")):
        _counts(table, heading, a[key], b[key])
    detectors = [
        {name: sum(counts.values()) for name, counts in side["by_detector"].items()}
        for side in (a, b)
    ]
    _counts(table, "by detector", *detectors)
    log = (
        f"{document['events']:,} events, {document['agents']:,} agents, {document['runs']:,} runs; "
        f"{document['rejected']:,} lines refused; both raise {document['in_both']:,}"
    )
    return Group(Text(log), table, *_alone(a["config"], document["only_in_a"]),
                 *_alone(b["config"], document["only_in_b"]))  # fmt: skip


def _figure(key: str, value: float) -> str:
    return f"{value:.2%}" if key == "share_of_runs" else f"{value:,}"


def _counts(table: Table, heading: str, a: dict[str, int], b: dict[str, int]) -> None:
    """One row for each name, the most frequent first."""
    names = sorted(a.keys() | b.keys(), key=lambda name: (-a.get(name, 0) - b.get(name, 0), name))
    table.add_row(Text(heading, style="bold"), "", "")
    for name in names[:_LISTED]:
        table.add_row(Text(f"  {clean(name, 40)}"), f"{a.get(name, 0):,}", f"{b.get(name, 0):,}")
    if len(names) > _LISTED:
        table.add_row(f"  {len(names) - _LISTED:,} more: --json", "", "")


def _alone(config: str, only: dict[str, Any]) -> list[Text]:
    lines = [f"only with {clean(config, 60)}: {only['anomalies']:,}"]
    for one in only["first"][:_LISTED]:
        when = one["time"][:19].replace("T", " ")
        what = f"{clean(one['agent_id'], 60)}  {clean(one['text'], 160)}"
        lines.append(f"  {one['anomaly_id']}  {when}  {one['severity']}  {one['detector']}  {what}")
    left = only["anomalies"] - min(_LISTED, len(only["first"]))
    if left:
        lines.append(f"  {left:,} more: --json lists up to {len(only['first'])}")
    return [Text(line) for line in lines]
