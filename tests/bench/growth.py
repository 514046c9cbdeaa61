"""How cost grows: events judged and learned a second, against what there can be more of.

- `agents` that are known to the store: all that a worker does with a followed log and SQLite, where
  runs of 8 steps are by agents chosen at random.
- `targets` that each of four agents uses in turn: judging and learning alone.
- `open_alerts`: a worker with SQLite; one event in a hundred breaches a boundary.
- `partitions` of a topic: a worker that reads a real broker, SQLite.
- `processes` of one consumer group: a real broker with 4 partitions, PostgreSQL.

Events a second of CPU time that the process takes, so that neighbours matter less; those of
`processes` by the clock, broker and database on the same machine. Each figure is from a process of
its own; rounds go through each row forwards, then backwards. Prints one JSON object with medians
and their ratios to the first of the row, and a table on stderr.

    make bench-growth ARGS="--rows targets open_alerts --rounds 3"
"""

import argparse
import contextlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import ormsgpack
import zstandard

from alerting.sparkline import sparkline
from baselines.event import ActionEvent
from baselines.packed import Packed, checksum, pack
from detectors.shard import Shard
from monitor import policies
from monitor.config import Config
from monitor.service import collect_rarely
from monitor.sources.log_file import LogFileSource
from monitor.store import Store, shards
from monitor.store.shards import Claim
from tests.bench.growth_group import group_row
from tests.bench.subject import START_S, open_worker, read_on, record

SIZES: Final = {
    "agents": (1_000, 10_000, 100_000, 1_000_000),
    "targets": (10, 100, 1_000, 10_000),
    "open_alerts": (0, 1_000, 10_000),
    "partitions": (1, 4, 16),
    "processes": (1, 2),
}
EVENTS: Final = 20_000
RUN_STEPS: Final = 8
AT_ONCE: Final = 50
"""So many runs go on at a time."""
_ROWS_AT_ONCE: Final = 20_000


def main() -> None:
    """Measure all rows, or one figure in this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", choices=SIZES, nargs="+", default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--one", nargs=2, metavar=("ROW", "SIZE"))
    chosen = parser.parse_args()
    if chosen.one:
        row, size = chosen.one[0], int(chosen.one[1])
        collect_rarely()
        with tempfile.TemporaryDirectory(prefix="tripswitch-bench-") as directory:
            print(ONE[row](size, Path(directory)))
        return
    found: dict[str, Any] = {}
    for row in chosen.rows:
        began, sizes = time.monotonic(), SIZES[row]
        each = group_row(row, sizes, chosen.rounds) if row not in ONE else _row(row, chosen.rounds)
        rates = {str(size): round(statistics.median(each[size])) for size in sizes}
        ratios = {size: round(rate / rates[str(sizes[0])], 2) for size, rate in rates.items()}
        took = round(time.monotonic() - began)
        found[row] = {"events_per_s": rates, "ratio": ratios, "seconds": took}
        shown = "  ".join(f"{int(size):,}: {ratio:.2f}" for size, ratio in ratios.items())
        print(f"{row:12} {sparkline(list(ratios.values())):5} {shown}", file=sys.stderr)
    print(json.dumps(found))


def _row(row: str, rounds: int) -> dict[int, list[float]]:
    each: dict[int, list[float]] = {size: [] for size in SIZES[row]}
    for number in range(rounds):
        for size in SIZES[row] if number % 2 == 0 else reversed(SIZES[row]):
            command = [sys.executable, "-m", "tests.bench.growth", "--one", row, str(size)]
            ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            each[size].append(float(ended.stdout))
    return each


def agents(size: int, directory: Path) -> float:
    """What a worker reads a second; the first events, which bring agents to memory, apart."""
    settings, before = Config(), min(size, EVENTS)
    acted = [
        record(f"agent-{number:07}", 9, START_S + number / 100, "first", number)
        for number in range(before)
    ]
    return _second_part(directory, settings, acted, _runs(size, START_S + 3600.0), known=size)


def targets(size: int, _: Path) -> float:
    """What a shard takes a second."""
    shard = Shard("bench", 0, policies.detection(Config()))
    learn, judge = max(4_000, size), 2_000
    began = 0.0
    for number in range(learn + judge):
        if number == learn:
            began = time.process_time()
        run, step = divmod(number, RUN_STEPS)
        at_s, target = START_S + run * 3600.0 + step, f"/srv/payroll/{number % size}.csv"
        for agent in range(4):
            raw = record(f"agent-{agent}", number, at_s, f"run-{run}", number, target=target)
            shard.feed(ActionEvent.parse(raw), raw, number)
    return judge * 4 / (time.process_time() - began)


def open_alerts(size: int, directory: Path) -> float:
    """What a worker reads a second while there are so many open alerts already."""
    settings = Config.model_validate({"boundaries": [{"tools": ["*_tool_*"]}]})
    apart_s = 2 * settings.alerts.together_s  # far enough to be no one incident
    old = [
        record(
            f"old-{number}", 0, START_S + number * apart_s, "run", 0, tool="wire_money", role=None
        )
        for number in range(size)
    ]
    new = (
        raw.replace(b"_tool_", b"_wire_") if number % 100 == 0 else raw
        for number, raw in enumerate(_runs(1_000, START_S + size * apart_s))
    )
    return _second_part(directory, settings, old, new)


def _second_part(
    directory: Path, settings: Config, first: list[bytes], second: Iterable[bytes], known: int = 0
) -> float:
    """Events a second of CPU time while a worker reads the second part of a log."""
    log = directory / "events.jsonl"
    log.write_bytes(b"".join(first))
    with _store(directory) as store:
        _introduce(store, LogFileSource(log).part(0).source, known)
        worker = open_worker(settings, LogFileSource(log), store, directory)
        read_on(worker, len(first))
        worker.checkpoint()
        with log.open("ab") as file:
            file.writelines(second)
        began = time.process_time()
        read_on(worker, len(first) + EVENTS)
        worker.checkpoint()
        return EVENTS / (time.process_time() - began)


def _runs(size: int, at_s: float) -> Iterator[bytes]:
    """Runs by agents chosen at random, so many at a time."""
    chance = random.Random(size)
    for first in range(0, EVENTS, RUN_STEPS * AT_ONCE):
        acting = [chance.randrange(size) for _ in range(AT_ONCE)]
        for step in range(RUN_STEPS):
            for place, number in enumerate(acting):
                event, run = first + step * AT_ONCE + place, f"run-{first + place}"
                yield record(f"agent-{number:07}", event, at_s + event / 10, run, first + step)


def _introduce(store: Store, source: str, size: int) -> None:
    """Put profiles of agents that acted a few times into the store."""
    shard = Shard(source, 0, policies.detection(Config()))
    for number in range(5):
        raw = record("agent-xxxxxxx", number, START_S - 3600.0 + number, "run", number)
        shard.feed(ActionEvent.parse(raw), raw, number)
    profile, claim = shard.profiles["agent-xxxxxxx"], Claim(source, 0, 1)
    known, plain = pack(profile), ormsgpack.packb(profile.dump())
    for start in range(0, size, _ROWS_AT_ONCE):
        rows = []
        for number in range(start, min(size, start + _ROWS_AT_ONCE)):
            agent_id = f"agent-{number:07}"
            body = zstandard.compress(plain.replace(b"agent-xxxxxxx", agent_id.encode()), 1)
            of_agent = known.summary._replace(agent_id=agent_id)
            rows.append(Packed(body, of_agent, known.due_s, checksum(body)))
        with store.state() as state:
            shards.put(state, claim, rows)


@contextlib.contextmanager
def _store(directory: Path) -> Iterator[Store]:
    settings = Config.model_validate({"store": {"url": f"sqlite:///{directory}/ledger.db"}})
    store = Store.open(settings.store)
    try:
        yield store
    finally:
        store.close()


ONE: Final = {"agents": agents, "targets": targets, "open_alerts": open_alerts}


if __name__ == "__main__":
    main()
