"""How fast one core reads: the daemon's own worker against a bare loop that does nothing.

- `bare_loop`: kafka-python and pydantic alone.
- `worker`: rate, volume and novelty are judged and learned.
- `worker_full`: every detector, a boundary, declared agents, holds, and the action history.
- `worker_fast`: as `worker`, read by confluent-kafka.
- `worker_python`: as `worker`, where the two lower floors are not compiled.
- `quix_state`, `bytewax_recovery`: the same rate, volume and novelty on these (`rivals`); the first
  reads a tenth of the events, or it would take an hour.
- `quix_plain`, `bytewax_plain`: the plainest form of them, which does far less.

All read the same records from the same broker, in processes of their own and in alternation, with
the same fetch settings. Each has one core for itself, and the broker the others: a reader whose
library has a thread of its own gains nothing by a second core that happens to be free. A round is
timed from the first records to the last record dealt with;
for the worker that includes every ledger transaction and checkpoint, for the others what they keep
their state with. Latency is that of the whole daemon at a steady rate. Prints one JSON object.

    make bench ARGS="--events 200000 --rounds 5"
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from kafka import KafkaConsumer, KafkaProducer, TopicPartition  # type: ignore[import-untyped]

from baselines.event import ActionEvent
from detectors.spike import Spikes
from detectors.surprise import Surprise
from monitor import policies
from monitor.config import Config
from monitor.dead_letter import open_dead_letters
from monitor.roundup import Roundup
from monitor.service import collect_rarely
from monitor.sources.clients import kafka_source
from monitor.sources.kafka import FETCH_MAX_WAIT_MS, MAX_POLL_RECORDS
from monitor.store import Store
from monitor.timing import Timing
from monitor.watchtower import Watchtower
from monitor.worker import Worker
from tests.kit.broker import create_topic, open_broker
from tests.kit.compiled import is_compiled
from tests.kit.recorded import recorded

RATIOS: Final = {
    "worker_to_bare": ("worker", "bare_loop"),
    "full_to_bare": ("worker_full", "bare_loop"),
    "fast_to_worker": ("worker_fast", "worker"),
    "python_to_worker": ("worker_python", "worker"),
    "worker_to_quix": ("worker", "quix_state"),
    "worker_to_bytewax": ("worker", "bytewax_recovery"),
    "worker_to_quix_plain": ("worker", "quix_plain"),
    "worker_to_bytewax_plain": ("worker", "bytewax_plain"),
}
RIVALS: Final = {
    "quix_state": ("quix", "same"),
    "bytewax_recovery": ("wax", "same"),
    "quix_plain": ("quix", "plain"),
    "bytewax_plain": ("wax", "plain"),
}
"""Modules of `tests.bench.rivals`, which run by a Python of their own, and their jobs."""
SUBJECTS: Final = ("bare_loop", "worker", "worker_full", "worker_fast", "worker_python", *RIVALS)
ROOT: Final = Path(__file__).resolve().parents[2]
RIVALS_PYTHON: Final = ROOT / ".cache" / "rivals" / "bin" / "python"
PARTITIONS: Final = 4
RATES_PER_S: Final = (1000, 10_000)
LATENCY_S: Final = 20.0
A_TENTH: Final = frozenset({"quix_state"})


def main() -> None:
    """Run all rounds, or one of them in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--round", nargs=4, metavar=("SUBJECT", "BROKER", "TOPIC", "DIRECTORY"))
    chosen = parser.parse_args()
    if chosen.round:
        subject, broker, topic, directory = chosen.round
        if subject == "bare_loop":
            print(json.dumps(bare_loop(broker, topic, chosen.events)))
        else:
            print(json.dumps(worker(subject, broker, topic, chosen.events, Path(directory))))
        return
    with tempfile.TemporaryDirectory(prefix="tripswitch-bench-") as directory:
        print(json.dumps(compare(Path(directory), chosen.events, chosen.rounds)))


def compare(directory: Path, events: int, rounds: int) -> dict[str, Any]:
    """Alternate the subjects over one topic on one broker."""
    kafka = directory / "kafka"
    kafka.mkdir()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[1:] or cores)  # of this process, and so of the broker
    broker = open_broker(kafka)
    try:
        # The recorded times are old: the broker would clear them away under the readers.
        topic = create_topic(broker, PARTITIONS, **{"retention.ms": "-1"})
        _produce(broker.bootstrap_servers, topic, events)
        per_s: dict[str, list[float]] = {subject: [] for subject in SUBJECTS}
        for number in range(rounds):
            for subject in SUBJECTS if number % 2 == 0 else reversed(SUBJECTS):
                place = directory / f"{subject}-{number}"
                place.mkdir()
                read = events // 10 if subject in A_TENTH else events
                took_s = _round(subject, cores[0], broker.bootstrap_servers, topic, place, read)
                per_s[subject].append(read / took_s)
                print(f"round {number + 1} {subject}: {read / took_s:,.0f}/s", file=sys.stderr)
    finally:
        broker.close()
        os.sched_setaffinity(0, cores)
    latency_ms = {f"{rate}/s": _latency(rate) for rate in RATES_PER_S}
    ratios = {
        name: [o / t for o, t in zip(per_s[one], per_s[than], strict=True)]
        for name, (one, than) in RATIOS.items()
    }
    return {
        "events_per_s": {subject: round(statistics.median(r)) for subject, r in per_s.items()},
        "ratio": {name: round(statistics.median(each), 3) for name, each in ratios.items()},
        "latency_ms": latency_ms,
        "bytes_per_agent": _bytes_per_agent(),
        "compiled": is_compiled(),
        "events": events,
        "rounds": rounds,
    }


def _round(subject: str, core: int, broker: str, topic: str, directory: Path, events: int) -> float:
    """How many seconds a reader took, by itself on one core."""
    if subject in RIVALS:
        module, job = RIVALS[subject]
        command = [str(RIVALS_PYTHON), "-m", f"tests.bench.rivals.{module}", job]
        command += [broker, topic, str(events), str(directory)]
    else:
        command = [sys.executable, "-m", "tests.bench.throughput", "--events", str(events)]
        command += ["--round", subject, broker, topic, str(directory)]
    surroundings = os.environ | ({"PYTHONPATH": str(ROOT)} if subject == "worker_python" else {})
    ended = subprocess.run(
        ["taskset", "--cpu-list", str(core), *command],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=surroundings,
    )
    if ended.returncode:
        raise SystemExit(f"{subject} failed:\n{ended.stderr[-3000:]}")
    return float(json.loads(ended.stdout)["seconds"])


def _latency(rate: int) -> dict[str, Any]:
    """From an event to its alert and order, both durable by then, at so many events a second."""
    command = [sys.executable, "-m", "tests.bench.trips", "--recorded", "--rate", str(rate)]
    command += ["--seconds", str(LATENCY_S)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if ended.returncode:
        return {"failed": ended.stderr.strip().splitlines()[-1:]}
    found = json.loads(ended.stdout)["steady"]
    durable = found["ms"]["event to registry revoked"]
    print(f"{rate} events a second: {durable}", file=sys.stderr)
    return {"sent_per_s": found["sent_per_s"], "trips": found["trips"], **durable}


def _bytes_per_agent() -> dict[str, Any]:
    """Of small fleets; `make bench-memory` goes up to a million."""
    command = [sys.executable, "-m", "tests.bench.memory", "--kinds", "idle", "active"]
    command += ["--sizes", "1000", "10000"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    found: dict[str, Any] = json.loads(ended.stdout)["bytes_per_agent"]
    return found


def _produce(broker: str, topic: str, events: int) -> None:
    """The `role` stream again and again, each time later and under new ids."""
    producer = KafkaProducer(bootstrap_servers=broker, linger_ms=50, batch_size=1 << 18)
    lines = [json.loads(line) for line in recorded("role") if line.endswith(b'"}')]
    documents = [document for document in lines if "time" in document]
    first, last = (datetime.fromisoformat(documents[i]["time"]) for i in (0, -1))
    lap = last - first + timedelta(hours=1)
    for number in range(events):
        lap_number, index = divmod(number, len(documents))
        event = documents[index]
        if lap_number:
            at = datetime.fromisoformat(event["time"]) + lap * lap_number
            event = event | {
                "time": at.isoformat(),
                "event_id": f"{event['event_id']}-{lap_number}",
            }
        value = json.dumps(event).encode()
        stamp = int(datetime.fromisoformat(event["time"]).timestamp() * 1000)
        producer.send(topic, key=event["agent_id"].encode(), value=value, timestamp_ms=stamp)
    producer.flush()
    producer.close()


def bare_loop(broker: str, topic: str, events: int) -> dict[str, float]:
    """Read and validate; the limit of what these libraries allow."""
    consumer = KafkaConsumer(
        bootstrap_servers=broker,
        enable_auto_commit=False,
        fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
        max_poll_records=MAX_POLL_RECORDS,
    )
    places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    collect_rarely()
    read, began = 0, 0.0
    parse = ActionEvent.model_validate_json
    while read < events:
        for records in consumer.poll(500).values():
            began = began or time.perf_counter()
            for record in records:
                parse(record.value)
            read += len(records)
    seconds = time.perf_counter() - began
    consumer.close()
    return {"seconds": seconds}


def worker(subject: str, broker: str, topic: str, events: int, directory: Path) -> dict[str, float]:
    """The daemon's own worker: learn, judge, store, checkpoint."""
    full = subject == "worker_full"
    client = "confluent" if subject == "worker_fast" else "kafka-python"
    declared = {"boundaries": [{"tools": ["*"]}], "agents": {"declared": ["*"]}} if full else {}
    settings = Config.model_validate(
        {
            "source": {"kind": "kafka", "topic": topic, "client": client},
            "kafka": {"bootstrap_servers": broker, "group_id": str(directory)},
            "store": {"url": f"sqlite:///{directory / 'ledger.db'}"},
            **declared,
        }
    )
    policy = policies.detection(settings)
    if not full:
        policy = replace(policy, detectors=(Spikes(), Surprise()))
    store = Store.open(settings.store)
    response = policies.response(settings, ("terminal",), ("registry",))
    one = Worker(
        source=kafka_source(settings.source, settings.kafka),
        store=store,
        dead_letters=open_dead_letters(settings),
        policy=policy,
        response=response,
        watchtower=Watchtower(settings.trip.allowed_skew_s, settings.trip.silent_after_s),
        owner="bench",
        on_ledger=lambda: None,
        roundup=Roundup(store, response.points, response.receivers) if full else None,
        keeps_history=full,
        timing=Timing(checkpoint_s=settings.store.checkpoint_interval_s),
    )
    collect_rarely()
    began = 0.0
    while one.counts.events + one.counts.rejected < events:
        before = time.perf_counter()
        if one.step() and not began:
            began = before
    one.checkpoint()
    seconds = time.perf_counter() - began
    one.source.close()
    store.close()
    return {"seconds": seconds}


if __name__ == "__main__":
    main()
