"""What the action history costs: the daemon's own worker over one log, with it and without.

In processes of their own, in alternation; ledger and checkpoints included. Prints one JSON object.

    python -m tests.bench.history --events 60000 --rounds 3
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from monitor import policies
from monitor.config import Config, StoreConfig
from monitor.config_source import SourceConfig
from monitor.dead_letter import FileDeadLetters
from monitor.service import collect_rarely
from monitor.sources.log_file import LogFileSource
from monitor.store import Store
from monitor.watchtower import Watchtower
from monitor.worker import Worker
from tests.kit.recorded import recorded

SUBJECTS: Final = ("off", "on")


def main() -> None:
    """Run all rounds, or one of them in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--round", nargs=2, metavar=("SUBJECT", "DIRECTORY"))
    chosen = parser.parse_args()
    if chosen.round:
        print(run(Path(chosen.round[1]), keeps_history=chosen.round[0] == "on"))
        return
    took: dict[str, list[float]] = {subject: [] for subject in SUBJECTS}
    with tempfile.TemporaryDirectory(prefix="tripswitch-bench-") as directory:
        write(Path(directory) / "events.jsonl", chosen.events)
        for number in range(chosen.rounds):
            for subject in SUBJECTS if number % 2 == 0 else reversed(SUBJECTS):
                command = [sys.executable, "-m", "tests.bench.history"]
                command += ["--round", subject, directory]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                took[subject].append(float(done.stdout))
    ratios = [off / on for off, on in zip(took["off"], took["on"], strict=True)]
    rates = {s: round(chosen.events / statistics.median(t)) for s, t in took.items()}
    print(json.dumps({"events_per_s": rates, "on_to_off": round(statistics.median(ratios), 3)}))


def write(log: Path, events: int) -> None:
    """The `role` stream again and again, each time later and under new ids."""
    documents = [json.loads(line) for line in recorded("role") if line.endswith(b'"}')]
    first, last = (datetime.fromisoformat(documents[i]["time"]) for i in (0, -1))
    with log.open("w") as file:
        for number in range(events):
            lap, index = divmod(number, len(documents))
            event = documents[index]
            at = datetime.fromisoformat(event["time"]) + lap * (last - first + timedelta(hours=1))
            again = {"time": at.isoformat(), "event_id": f"{event['event_id']}-{lap}"}
            file.write(json.dumps(event | again) + "\n")


def run(directory: Path, *, keeps_history: bool) -> float:
    """Seconds for the whole log."""
    settings = Config(source=SourceConfig(path=directory / "events.jsonl"))
    with tempfile.TemporaryDirectory(dir=directory) as place:
        store = Store.open(StoreConfig(url=f"sqlite:///{place}/ledger.db"))
        worker = Worker(
            source=LogFileSource(directory / "events.jsonl"),
            store=store,
            dead_letters=FileDeadLetters(Path(place) / "rejected.jsonl"),
            policy=policies.detection(settings),
            response=policies.response(settings, ("terminal",), ("registry",)),
            watchtower=Watchtower(settings.trip.allowed_skew_s, settings.trip.silent_after_s),
            owner="bench",
            on_ledger=lambda: None,
            keeps_history=keeps_history,
        )
        collect_rarely()
        began = time.monotonic()
        worker.step()  # takes the log
        while worker.step():
            pass
        worker.checkpoint()
        seconds = time.monotonic() - began
        store.close()
    return seconds


if __name__ == "__main__":
    main()
