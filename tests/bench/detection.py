"""How good detection is: what it catches, what it falsely alarms on, and what it costs.

Prints one JSON object; with --write it also puts the figures into `detectors/README.md`, the one
place where they stand. Every figure follows from the code and a seed, but for those of speed.

    make bench-detection ARGS="--part streams,budget --quick"
"""

import argparse
import json
import shlex
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from tests.bench.figures import budget, history, power, report, speed, streams
from tests.bench.figures.part import Job

PARTS: Final[dict[str, ModuleType]] = {
    "streams": streams,
    "history": history,
    "budget": budget,
    "power": power,
}
ALL: Final = (*PARTS, "speed")
README: Final = Path(__file__).resolve().parents[2] / "detectors" / "README.md"


def main() -> None:
    """Measure the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--part", default=",".join(ALL), help="some of " + ",".join(ALL))
    parser.add_argument("--quick", action="store_true", help="fewer agents, fewer rounds")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="rewrite detectors/README.md")
    chosen = parser.parse_args()
    parts = chosen.part.split(",")
    if unknown := set(parts) - set(ALL):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    figures = measure(parts, chosen.quick, chosen.processes)
    if chosen.write:
        arguments = [word for word in sys.argv[1:] if word != "--write"]
        command = "make bench-detection"
        if arguments:
            command += f' ARGS="{shlex.join(arguments)}"'
        text = README.read_text("utf-8")
        date = datetime.now(UTC).date().isoformat()
        README.write_text(report.rewrite(text, figures, date, command), "utf-8")
    print(json.dumps(figures))


def measure(parts: list[str], quick: bool, processes: int) -> dict[str, Any]:
    """All figures of these parts, computed in so many processes, speed alone at the end."""
    jobs = {part: PARTS[part].jobs(quick) for part in PARTS if part in parts}
    tasks = [(part, number, job) for part, some in jobs.items() for number, job in enumerate(some)]
    results: dict[str, dict[int, Any]] = {part: {} for part in jobs}
    began = time.monotonic()
    if tasks:
        with get_context("spawn").Pool(processes, maxtasksperchild=1) as pool:
            for done, (part, number, result) in enumerate(pool.imap_unordered(_do, tasks), start=1):
                results[part][number] = result
                took_s = time.monotonic() - began
                print(f"{done}/{len(tasks)} {part} after {took_s:.0f} s", file=sys.stderr)
    figures = {
        part: PARTS[part].figures([found[number] for number in sorted(found)])
        for part, found in results.items()
    }
    if "speed" in parts:
        figures["speed"] = speed.measure(quick)
    return figures


def _do(task: tuple[str, int, Job]) -> tuple[str, int, Any]:
    part, number, job = task
    call: Callable[..., Any] = job.call
    return part, number, call(*job.arguments)


if __name__ == "__main__":
    main()
