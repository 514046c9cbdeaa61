"""How long a gateway waits for a decision, while a worker is idle and while it is busy.

A real `tripswitch serve` on SQLite is asked at a steady rate over several connections, as it
stands and while a worker in a process of its own reads, judges, stores and checkpoints as fast as
it can. Each wait counts from the moment at which the question was due, so that a stall is felt by
every question behind it. What the questions cost the worker shows against a round in which it is
alone. Rounds alternate. Prints one JSON object.

    make bench-gateway ARGS="--rate 200 --seconds 20 --rounds 3"
"""

import argparse
import http.client
import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from monitor import policies
from monitor.config import Config, StoreConfig
from monitor.config_source import SourceConfig
from monitor.dead_letter import open_dead_letters
from monitor.ledger import grants, tokens
from monitor.ledger.tokens import Role
from monitor.service import collect_rarely
from monitor.sources.log_file import LogFileSource
from monitor.store import Store
from monitor.timing import Timing
from monitor.watchtower import Watchtower
from monitor.worker import Worker
from tests.kit.recorded import recorded

AGENTS: Final = 500
GRANTS_EACH: Final = 20
"""Of which half have expired."""
CONNECTIONS: Final = 4
SUBJECTS: Final = ("idle", "busy", "alone")
EVENTS_PER_S: Final = 40_000
"""More than a worker reads, so that it is busy to the end of a round."""


def main() -> None:
    """Run all rounds, or the busy worker in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rate", type=float, default=200.0, help="questions a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", nargs=2, metavar=("STORE", "LOG"))
    chosen = parser.parse_args()
    if chosen.worker:
        print(json.dumps(_work(*chosen.worker)))
        return
    with tempfile.TemporaryDirectory(prefix="tripswitch-bench-") as directory:
        answer = compare(Path(directory), chosen.rate, chosen.seconds, chosen.rounds)
    print(json.dumps(answer))


def compare(directory: Path, rate: float, seconds: float, rounds: int) -> dict[str, Any]:
    """Alternate an idle and a busy worker beside one server on one store."""
    url, log = f"sqlite:///{directory / 'ledger.db'}", directory / "events.jsonl"
    secret = _furnish(url)
    _write_events(log, int(EVENTS_PER_S * (seconds + 5)))
    waits_ms: dict[str, list[float]] = {"idle": [], "busy": []}
    p99_ms: dict[str, list[float]] = {"idle": [], "busy": []}
    speeds: dict[str, list[float]] = {"busy": [], "alone": []}
    with _Server(url) as address:
        _ask(address, secret, rate, 2.0)  # until everything is loaded
        for number in range(rounds):
            for subject in SUBJECTS if number % 2 == 0 else reversed(SUBJECTS):
                waits: list[float] = []
                if subject == "idle":
                    waits = _ask(address, secret, rate, seconds)
                else:
                    again = directory / f"events-{subject}-{number}.jsonl"
                    again.hardlink_to(log)  # by another name, it is read from its beginning
                    with _Busy(url, again) as busy:
                        if subject == "busy":
                            waits = _ask(address, secret, rate, seconds)
                        else:
                            time.sleep(seconds)
                    speeds[subject].append(busy.events_per_s)
                if not waits:
                    continue
                waits_ms[subject] += waits
                p99_ms[subject].append(_quantile(waits, 0.99))
                print(f"round {number + 1} {subject}: {_figures(waits)}", file=sys.stderr)
    slowed = [b / a for b, a in zip(speeds["busy"], speeds["alone"], strict=True)]
    ratios = [b / i for b, i in zip(p99_ms["busy"], p99_ms["idle"], strict=True)]
    return {
        "wait_ms": {subject: _figures(waits) for subject, waits in waits_ms.items()},
        "ratio": {
            "busy_to_idle_p99": round(statistics.median(ratios), 2),
            "worker_to_alone": round(statistics.median(slowed), 2),
        },
        "worker_events_per_s": {s: round(statistics.median(each)) for s, each in speeds.items()},
        "questions_per_s": rate,
        "questions": sum(map(len, waits_ms.values())),
        "rounds": rounds,
    }


def _furnish(url: str) -> str:
    """Agents with grants, and a token."""
    store, now_s = Store.open(StoreConfig(url=url)), time.time()
    with store.ledger() as ledger:
        for number in range(AGENTS * GRANTS_EACH):
            agent, nth = divmod(number, GRANTS_EACH)
            grants.add(
                ledger,
                agent_id=f"agent-{agent}",
                scope=f"scope-{nth}.*",
                reason="bench",
                granted_by="os:bench",
                now_s=now_s - 60,
                expires_at=now_s - 30 if nth % 2 else None,
            )
        _, secret = tokens.add(
            ledger, name="bench", role=Role.VIEWER, by="os:bench", now_s=now_s, lasts_s=86_400.0
        )
    store.close()
    return secret


def _ask(address: str, secret: str, rate: float, seconds: float) -> list[float]:
    """Ask at a steady rate; the waits in milliseconds."""
    count = int(rate * seconds)
    waits: list[float] = []
    began = time.perf_counter() + 0.1

    def one(first: int) -> None:
        host = urlsplit(address).netloc
        connection = http.client.HTTPConnection(host, timeout=30)
        headers = {"Authorization": f"Bearer {secret}"}
        for number in range(first, count, CONNECTIONS):
            due = began + number / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            agent, nth = number % AGENTS, number % GRANTS_EACH
            path = f"/v1/agents/agent-{agent}/grants?scope=scope-{nth}.send"
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            told = json.loads(answer.read())
            waits.append((time.perf_counter() - due) * 1000)
            if told["allowed"] is not (nth % 2 == 0):
                raise AssertionError(told)
        connection.close()

    threads = [threading.Thread(target=one, args=(first,)) for first in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(waits) != count:
        raise SystemExit("a question was not answered as it should be")
    return waits


class _Server:
    def __init__(self, url: str) -> None:
        settings = {"TRIPSWITCH_STORE__URL": url, "TRIPSWITCH_SERVE__PORT": "0"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "monitor", "serve", "--json"],
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> str:
        assert self._process.stdout is not None
        return str(json.loads(self._process.stdout.readline())["url"])

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=30)


class _Busy:
    """A worker at full speed; `events_per_s` once it has ended."""

    events_per_s = 0.0

    def __init__(self, url: str, log: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.gateway", "--worker", url, str(log)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "_Busy":
        assert self._process.stdout is not None
        self._process.stdout.readline()  # it reads events now
        return self

    def __exit__(self, *_: object) -> None:
        told, _errors = self._process.communicate(timeout=120)
        self.events_per_s = float(json.loads(told)["events_per_s"])


def _work(url: str, log: str) -> dict[str, float]:
    """The daemon's own worker, until standard input is closed."""
    settings = Config(source=SourceConfig(kind="log", path=Path(log)), store=StoreConfig(url=url))
    store = Store.open(settings.store)
    one = Worker(
        source=LogFileSource(Path(log), "earliest"),
        store=store,
        dead_letters=open_dead_letters(settings),
        policy=policies.detection(settings),
        response=policies.response(settings, ("terminal",), ("registry",)),
        watchtower=Watchtower(settings.trip.allowed_skew_s, settings.trip.silent_after_s),
        owner="bench",
        on_ledger=lambda: None,
        timing=Timing(checkpoint_s=settings.store.checkpoint_interval_s),
    )
    collect_rarely()
    began, before, last = 0.0, 0, 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        one.step()
        if not began and one.counts.events:
            began, before = time.perf_counter(), one.counts.events
            print("reading", flush=True)
        if began and one.counts.events == last:
            raise SystemExit("the worker ran out of events: it is faster than was thought")
        last = one.counts.events
    seconds = time.perf_counter() - began
    events = one.counts.events - before
    one.source.close()
    store.close()
    return {"events_per_s": events / seconds}


def _write_events(log: Path, count: int) -> None:
    """The `role` stream again and again, each time later and under new ids."""
    lines = [json.loads(line) for line in recorded("role") if line.endswith(b'"}')]
    documents = [document for document in lines if "time" in document]
    times = [datetime.fromisoformat(document["time"]) for document in documents]
    lap = times[-1] - times[0] + timedelta(hours=1)
    # the text of an event but for its time and id: encoding each anew takes longer than a round
    bare = [json.dumps(d | {"time": "@time", "event_id": "@id"}) for d in documents]
    with log.open("w", encoding="utf-8") as out:
        for number in range(count):
            turn, index = divmod(number, len(bare))
            at = (times[index] + lap * turn).isoformat()
            out.write(bare[index].replace("@time", at, 1).replace("@id", f"e-{number}", 1) + "\n")


def _figures(waits: list[float]) -> dict[str, float]:
    return {
        "p50": _quantile(waits, 0.5),
        "p99": _quantile(waits, 0.99),
        "max": round(max(waits), 2),
    }


def _quantile(waits: list[float], share: float) -> float:
    return round(sorted(waits)[min(len(waits) - 1, int(share * len(waits)))], 2)


if __name__ == "__main__":
    main()
