"""Rows of `growth` that take a broker: a topic's partitions, and processes that share them."""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kafka import KafkaProducer  # type: ignore[import-untyped]

from monitor.config import Config
from monitor.service import collect_rarely
from monitor.sources.clients import kafka_source
from monitor.store import Store
from tests.bench.subject import START_S, open_worker, record
from tests.kit.broker import Broker, create_topic, open_broker
from tests.kit.postgres import Postgres

EVENTS: Final = 40_000
AGENTS: Final = 500
SHARED: Final = 4
"""Partitions that processes share."""


def group_row(row: str, sizes: Sequence[int], rounds: int) -> dict[int, list[float]]:
    """Events a second by size: of CPU time for `partitions`, by the clock for `processes`."""
    each: dict[int, list[float]] = {size: [] for size in sizes}
    with tempfile.TemporaryDirectory(prefix="tripswitch-bench-") as directory:
        place = Path(directory)
        broker = open_broker(_made(place / "kafka"))
        postgres = Postgres(_made(place / "postgres")) if row == "processes" else None
        try:
            for number in range(rounds):
                for size in sizes if number % 2 == 0 else reversed(sizes):
                    own = _made(place / f"{size}-{number}")
                    url = postgres.new_store() if postgres else f"sqlite:///{own}/ledger.db"
                    each[size].append(_measure(row, size, broker, url))
        finally:
            broker.close()
            if postgres is not None:
                postgres.close()
    return each


def _measure(row: str, size: int, broker: Broker, url: str) -> float:
    members, partitions = (1, size) if row == "partitions" else (size, SHARED)
    topic = create_topic(broker, partitions, **{"retention.ms": "-1"})  # the events' times are old
    _produce(broker.bootstrap_servers, topic)
    command = [sys.executable, "-m", "tests.bench.growth_group", broker.bootstrap_servers, topic]
    command += [url, str(partitions // members)]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(members)
    ]
    for one in running:
        assert one.stdout is not None
        one.stdout.readline()  # it has its partitions
    for one in running:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    ended = [json.loads(one.communicate(timeout=600)[0]) for one in running]
    assert sum(one["events"] for one in ended) == EVENTS
    if row == "partitions":
        return float(EVENTS / ended[0]["cpu_s"])
    return float(EVENTS / (max(e["ended"] for e in ended) - min(e["began"] for e in ended)))


def _produce(bootstrap_servers: str, topic: str) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap_servers, linger_ms=50, batch_size=1 << 18)
    for number in range(EVENTS):
        agent_id = f"agent-{number % AGENTS}"
        at_s, run = START_S + number / 10, f"run-{number // AGENTS // 8}"
        raw = record(agent_id, number, at_s, run, number // AGENTS)
        producer.send(topic, key=agent_id.encode(), value=raw, timestamp_ms=int(at_s * 1000))
    producer.flush()
    producer.close()


def member(bootstrap_servers: str, topic: str, url: str, partitions: int) -> dict[str, float]:
    """Join, wait for as many partitions and for the word, read them to their ends."""
    settings = Config.model_validate(
        {
            "source": {"kind": "kafka", "topic": topic},
            "kafka": {
                "bootstrap_servers": bootstrap_servers,
                "group_id": topic,
                "session_timeout_s": 60,  # a machine that is busy must not move partitions
            },
            "store": {"url": url},
        }
    )
    store = Store.open(settings.store)
    source = kafka_source(settings.source, settings.kafka)
    with tempfile.TemporaryDirectory(prefix="tripswitch-bench-") as directory:
        worker = open_worker(settings, source, store, Path(directory))
        source.hold(True)
        while len(worker.owned) != partitions:
            worker.step()
        print("ready", flush=True)
        collect_rarely()
        told = threading.Event()
        threading.Thread(target=_await_word, args=(told,), daemon=True).start()
        while not told.is_set():
            worker.step()  # it stays a member meanwhile
        source.hold(False)
        began, cpu_s = time.time(), time.process_time()
        ends = {number: source.end_offset(number) for number in worker.owned}
        while any(owned.next_offset < ends[n] for n, owned in worker.owned.items()):
            worker.step()
        worker.checkpoint()
        ended, cpu_s = time.time(), time.process_time() - cpu_s
        source.close()
        store.close()
    return {"events": worker.counts.events, "began": began, "ended": ended, "cpu_s": cpu_s}


def _await_word(told: threading.Event) -> None:
    sys.stdin.readline()
    told.set()


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


if __name__ == "__main__":
    _, broker_at, topic_name, store_url, own = sys.argv
    print(json.dumps(member(broker_at, topic_name, store_url, int(own))))
