"""Little history: how much is caught by how many runs each agent had before it was tested."""

import gzip
import json
from collections import defaultdict
from typing import Any, Final

from tests.bench.figures.part import Job
from tests.bench.figures.streams import present, replayed
from tests.kit.recorded import DIRECTORY, recorded

BUDGET: Final = 50.0
LEARNING_RUNS: Final = (50, 100, 200, 400)
STREAMS: Final = ("role", "newtask")


def jobs(_: bool) -> list[Job]:
    """Two for each stream and length of history: with the cohort as a prior, and without."""
    if not present():
        return []
    return [
        Job(measure, (stream, runs, cohorts))
        for stream in STREAMS
        for runs in LEARNING_RUNS
        for cohorts in (True, False)
    ]


def figures(results: list[dict[str, Any]]) -> dict[str, Any]:
    """A list of what was caught in each stream after each length of history."""
    return {"budget": BUDGET, "runs": results} if results else {"left_out": "no recorded streams"}


def measure(stream: str, learning_runs: int, cohorts: bool) -> dict[str, Any]:
    """Replay the stream without all but the last learning runs of each agent."""
    dropped = _dropped(stream, learning_runs)
    lines = [line for line in recorded(stream) if json.loads(line)["trace_id"] not in dropped]
    found = replayed(stream, BUDGET, lines, cohorts=cohorts)
    kept = ("stream", "recall", "false_alarm_runs")
    return {"learning_runs": learning_runs, "cohorts": cohorts} | {key: found[key] for key in kept}


def _dropped(stream: str, learning_runs: int) -> set[str]:
    """The learning runs that lie further back than so many of their agent."""
    with gzip.open(DIRECTORY / f"{stream}.truth.jsonl.gz", "rt", encoding="utf-8") as lines:
        truth = [json.loads(line) for line in lines]
    learning = {t["trace_id"] for t in truth if t["phase"] == "learn"}
    runs: dict[str, dict[str, None]] = defaultdict(dict)
    for line in recorded(stream):
        event = json.loads(line)
        if event["trace_id"] in learning:
            runs[event["agent_id"]][event["trace_id"]] = None
    return {trace for traces in runs.values() for trace in list(traces)[:-learning_runs]}
