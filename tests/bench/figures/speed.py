"""Speed: what judging and learning an event costs, beside parsing it."""

import statistics
import time
from collections.abc import Callable
from typing import Any, Final

from baselines.event import ActionEvent, EventError
from detectors.shard import Shard
from monitor.service import collect_rarely
from tests.bench.figures.part import policy
from tests.kit.recorded import recorded

ROUNDS: Final = 7
ROUNDS_QUICKLY: Final = 3
BUDGET: Final = 1.0


def measure(quick: bool) -> dict[str, Any]:
    """CPU time an event takes the detectors, and the bare loop that parses, in alternation."""
    collect_rarely()
    lines = recorded("role")
    events = []
    for line in lines:
        try:
            events.append((ActionEvent.parse(line), line))
        except EventError:
            continue
    subjects: dict[str, Callable[[], None]] = {
        "detectors": lambda: _judge(events),
        "bare_loop": lambda: _parse(events),
    }
    took: dict[str, list[float]] = {subject: [] for subject in subjects}
    rounds = ROUNDS_QUICKLY if quick else ROUNDS
    for number in range(rounds):
        for subject in subjects if number % 2 == 0 else reversed(subjects):
            began = time.process_time()
            subjects[subject]()
            took[subject].append((time.process_time() - began) / len(events) * 1e6)
    ratios = [d / b for d, b in zip(took["detectors"], took["bare_loop"], strict=True)]
    return {
        "us_per_event": {s: round(statistics.median(t), 2) for s, t in took.items()},
        "ratio": round(statistics.median(ratios), 2),
        "events": len(events),
        "rounds": rounds,
    }


def _judge(events: list[tuple[ActionEvent, bytes]]) -> None:
    shard = Shard("bench", 0, policy(BUDGET))
    feed = shard.feed
    for offset, (event, line) in enumerate(events):
        feed(event, line, offset)


def _parse(events: list[tuple[ActionEvent, bytes]]) -> None:
    parse = ActionEvent.model_validate_json
    for _, line in events:
        parse(line)
