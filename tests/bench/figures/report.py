"""The figures as people read them: sections of the floors' READMEs, between markers."""

from collections.abc import Callable, Mapping
from textwrap import fill
from typing import Any, Final

_MISSED: Final = "–"
_BAR_CHARS: Final = 40
_WIDTH: Final = 120
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


def rewrite(readme: str, figures: Mapping[str, Any], date: str, command: str) -> str:
    """The text with the sections of these parts put anew; the others stay as they are.

    Raises
    ------
    ValueError
        If the text has no section for a part.
    """
    for part, found in figures.items():
        if "left_out" in found:
            continue
        section = f"{SECTIONS[part](found)}\n\nMeasured on {date} with `{command}`."
        begin, end = f"<!-- figures:{part} -->\n", f"<!-- /figures:{part} -->"
        before, began, rest = readme.partition(begin)
        _, ended, after = rest.partition(end)
        if not began or not ended:
            raise ValueError(f"no place for the figures of {part}")
        readme = f"{before}{begin}{section}\n{end}{after}"
    return readme


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _share(value: float | None) -> str:
    return _MISSED if value is None else f"{100 * value:.3g} %"


def _streams(found: Mapping[str, Any]) -> str:
    runs = found["runs"]
    table = _table(
        (
            "stream",
            "budget",
            "benign runs alarmed",
            "at most",
            "hijacked runs caught",
            "wanted",
            "aim",
            "loops caught",
        ),
        [
            (
                f"`{run['stream']}`",
                f"{run['budget']:g}",
                _share(run["false_alarm_runs"]),
                _share(run.get("false_alarms_at_most")),
                _share(run["recall"]),
                _share(run.get("wanted")),
                _share(run.get("aim")),
                _share(run["loop_recall"]),
            )
            for run in runs
            if "recall" in run
        ],
    )
    others = [
        f"- `coding_agent` at budget {run['budget']:g}: {run['false_alarms_per_active_hour']:g} "
        "false alarms an active hour (at most 0.1)."
        for run in runs
        if run["stream"] == "coding_agent"
    ]
    others += [
        f"- `cloudtrail` at budget {run['budget']:g}: {run['attack_events_raised']} of "
        f"{run['attack_events']} attacking events raised, {run['benign_events_raised']} others."
        for run in runs
        if run["stream"] == "cloudtrail"
    ]
    return table + "\n\n" + "\n".join(others)


def _history(found: Mapping[str, Any]) -> str:
    lines = []
    for stream in dict.fromkeys(run["stream"] for run in found["runs"]):
        lines.append(f"{stream}, budget {found['budget']:g}: hijacked runs caught")
        lines += [_line(run) for run in found["runs"] if run["stream"] == stream]
    return "```\n" + "\n".join(lines) + "\n```"


def _line(run: Mapping[str, Any]) -> str:
    recall, alarmed = run["recall"], run["false_alarm_runs"]
    prior = "cohort" if run["cohorts"] else "alone "
    plot = f"{run['learning_runs']:>5} runs, {prior}  {_bar(recall)} {_share(recall):>7}"
    return f"{plot}   benign alarmed {_share(alarmed)}"


def _bar(share: float) -> str:
    eighths = round(share * _BAR_CHARS * 8)
    bar = "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
    return bar.ljust(_BAR_CHARS)


def _budget(found: Mapping[str, Any]) -> str:
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for row in found["kinds"]:
        by_kind.setdefault(row["kind"], []).append(row)
    budgets = [row["budget"] for row in next(iter(by_kind.values()))]
    head = tuple(
        f"{what} at {budget:g}"
        for budget in budgets
        for what in ("mean", "worst agent", "repeats", "first week")
    )
    rows = []
    for kind, of_kind in by_kind.items():
        cells = []
        for row in of_kind:
            kept = row["mean"] <= found["allowed"] * row["budget"]
            mean = f"{row['mean']:.2g}" if kept else f"**{row['mean']:.3g}**"
            more = ("worst_agent", "repeats", "first_week")
            cells += [mean, *(f"{row[name]:.2g}" for name in more)]
        rows.append((kind, *cells))
    weeks = min(row["agent_weeks"] for row in found["kinds"])
    intro = (
        f"False alarms per agent and week, from week 2 on, over {weeks} agent-weeks a kind or "
        f"more; bold where the mean is more than {found['allowed']:g} times the budget. Repeats "
        "tell again, before it is known, what was told; they join its alert and are counted apart."
    )
    return f"{fill(intro, _WIDTH)}\n\n{_table(('kind', *head), rows)}"


def _power(found: Mapping[str, Any]) -> str:
    cells: dict[str, dict[str, str]] = {}
    for row in found["kinds"]:
        column = f"{row['change']} at {row['budget']:g}"
        sign = "+" if row["change"] == "leak" else "×"
        smallest = [_MISSED if f is None else f"{sign}{f:g}" for f in row["smallest"].values()]
        cells.setdefault(row["kind"], {})[column] = " / ".join(smallest)
    within = " / ".join(found["kinds"][0]["smallest"])
    trials = min(row["trials"] for row in found["kinds"])
    intro = (
        f"The change from which on every greater one is caught within {within} with "
        f"{100 * found['probability']:g} % probability, by {trials} trials or more. A leak is of "
        "additional bytes an hour, as a multiple of what the agent sends in one."
    )
    columns = tuple(next(iter(cells.values())))
    rows = [(kind, *by_column.values()) for kind, by_column in cells.items()]
    return f"{fill(intro, _WIDTH)}\n\n{_table(('kind', *columns), rows)}"


def _speed(found: Mapping[str, Any]) -> str:
    cost = found["us_per_event"]
    return fill(
        f"One core judges and learns an event of the `role` stream in {cost['detectors']:.3g} µs; "
        f"the bare loop, which only parses it, takes {cost['bare_loop']:.3g} µs (of CPU time; "
        f"ratio {found['ratio']:g}, medians of {found['rounds']} alternating rounds).",
        _WIDTH,
    )


def _trips(found: Mapping[str, Any]) -> str:
    steady, during, kills = found["steady"], found["checkpoint"], found["kills"]
    parts = (
        ("steady", steady),
        ("checkpoint", during["automatic"]),
        ("with kills, automatic", kills["automatic"]),
        ("with kills, by hand", kills["by_hand"]),
    )
    rows = [
        (part, stretch, *(f"{ms[name]:,.0f}" for name in ("p50", "p99", "worst")), str(of["trips"]))
        for part, of in parts
        for stretch, ms in of["ms"].items()
    ]
    turn = during["turn_ms"]
    intro = (
        f"Milliseconds. Steady: the demo fleet at {steady['sent_per_s']:,} events/s (wanted: "
        f"{found['events_per_s']:,.0f}). Checkpoint: what was odd while {during['profiles']:,} "
        f"profiles were written, which took {during['checkpoint_s']:g} s; a turn of the worker's "
        f"loop took {turn['worst_by_the_clock']:g} ms at most then, {turn['worst_of_cpu']:g} ms of "
        "CPU time. With kills: the same, while a person orders five a second besides; it took "
        f"{kills['checkpoint_s']:g} s."
    )
    head = ("run", "from, to", "p50", "p99", "worst", "trips")
    return f"{fill(intro, _WIDTH)}\n\n{_table(head, rows)}"


SECTIONS: Final[dict[str, Callable[[Mapping[str, Any]], str]]] = {
    "streams": _streams,
    "history": _history,
    "budget": _budget,
    "power": _power,
    "speed": _speed,
    "trips": _trips,
}
