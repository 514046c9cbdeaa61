"""How fast a rule cuts an agent off: from the event to the order, to the registry, to every point.

The real daemon reads 1,000 events a second of the demo fleet from a real broker, with a grants
registry on SQLite, the Kafka topic and a webhook as enforcement points. Now and then an agent logs
in from elsewhere, as in the incident `stolen_credential`; that lies beyond its boundary, and a rule
in mode `enforce` trips on it. A second run does the same while a checkpoint of 100,000 profiles is
written, and a third while, besides, a person orders kills from another process. The daemon notes
when each of its ledger transactions was committed: from then on the registry refuses, in every
process. Prints one JSON object; with --write it also puts the figures into `alerting/README.md`,
the one place where they stand.

    make bench-trips ARGS="--seconds 100"
"""

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from monitor.config import Config, load
from monitor.enforcement import point_names
from monitor.ledger import trips
from monitor.ledger.trips import Trip
from monitor.store import Store
from monitor.store.schema import claims
from tests.bench.figures import report, trip_daemon
from tests.bench.figures.recorded_work import RecordedWork
from tests.bench.figures.trip_times import automatic, by_hand, in_ms
from tests.bench.figures.trip_work import Person, Work, introduce
from tests.kit.broker import create_topic, open_broker
from tests.kit.gateway_server import SECRET, gateway_server

README: Final = Path(__file__).resolve().parents[2] / "alerting" / "README.md"
PATIENCE_S: Final = 600.0
_WARM_UP_S: Final = 5.0
"""What a daemon does for the first time in its life is not what a trip takes."""
_DAEMON: Final = "tests.bench.figures.trip_daemon"

CONFIG: Final = """
[source]
kind = "kafka"
topic = "{topic}"

[kafka]
bootstrap_servers = "{servers}"
group_id = "{topic}"
revocations_topic = "{topic}-revocations"

[store]
url = "sqlite:///{directory}/ledger.db"
checkpoint_interval_s = {checkpoint_s}
max_resident_agents = 1000000

[alerts]
terminal = false

[[boundaries]]
agents = ["*"]
never = ["login"]
severity = "critical"

[trip]
max_automatic_per_hour = 1000000

[[trip.rules]]
name = "logs in from elsewhere"
mode = "enforce"
detectors = ["boundary"]

[[points]]
kind = "webhook"
name = "webhook"
url = "{gateway}"
secret_variable = "BENCH_SECRET"
revoke = {{ path = "/agents/$agent_id/block" }}
restore = {{ path = "/agents/$agent_id/unblock" }}
verify = {{ path = "/agents/$agent_id", field = "agent.state", revoked = ["revoked"] }}
"""


def main() -> None:
    """Measure, or be one of the processes of that."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=100.0, help="of the steady run")
    parser.add_argument("--rate", type=float, default=1000.0, help="events a second")
    parser.add_argument("--trips", type=float, default=2.0, help="a second")
    parser.add_argument("--agents", type=int, default=300, help="of the fleet")
    parser.add_argument("--profiles", type=int, default=100_000, help="of the checkpoint")
    parser.add_argument("--recorded", action="store_true", help="recorded events, no checkpoint")
    parser.add_argument("--write", action="store_true", help="rewrite alerting/README.md")
    parser.add_argument("--gateway", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.gateway:
        gateway()
    else:
        figures = measure(chosen)
        if chosen.write:
            arguments = [word for word in sys.argv[1:] if word != "--write"]
            command = "make bench-trips" + (f' ARGS="{shlex.join(arguments)}"' if arguments else "")
            date = datetime.now(UTC).date().isoformat()
            text = README.read_text("utf-8")
            README.write_text(report.rewrite(text, {"trips": figures}, date, command), "utf-8")
        print(json.dumps(figures))


def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    """The steady run, then those with a checkpoint; a daemon and a store for each."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tripswitch-")))
        (directory / "kafka").mkdir()
        broker = stack.enter_context(closing(open_broker(directory / "kafka")))
        _, url = stack.enter_context(_process("tests.bench.trips", "--gateway"))
        found: dict[str, Any] = {"events_per_s": chosen.rate}
        for part in ("steady",) if chosen.recorded else ("steady", "checkpoint", "kills"):
            place = directory / part
            place.mkdir()
            settings = place / "tripswitch.toml"
            settings.write_text(
                CONFIG.format(
                    topic=create_topic(broker, 1),
                    servers=broker.bootstrap_servers,
                    directory=place,
                    checkpoint_s=5.0 if part == "steady" else 3600.0,
                    gateway=url,
                )
            )
            notes = place / "notes.jsonl"
            if part == "steady":
                found[part] = _steady(settings, notes, chosen)
            else:
                found[part] = _through_checkpoint(settings, notes, chosen, kills=part == "kills")
    return found


def _steady(settings: Path, notes: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    with _store(settings) as (config, store):
        work: Work | RecordedWork = _work(config, store, chosen)
        if chosen.recorded:
            work = RecordedWork(config, rate=chosen.rate, trips_per_s=chosen.trips)
        with _process(_DAEMON, str(settings), str(notes)):
            _wait_for(lambda: _reads(store))
            before, began_s = work.send(_WARM_UP_S)["events"], time.time()
            sent = work.send(chosen.seconds)
            found = _settled(store, notes, before + sent["events"])
    measured = [trip for trip in found if (trip.anomaly_at or 0.0) >= began_s]
    return {**sent, **in_ms(automatic(measured, trip_daemon.read(notes)["committed"]))}


def _through_checkpoint(
    settings: Path, notes: Path, chosen: argparse.Namespace, *, kills: bool
) -> dict[str, Any]:
    with _store(settings) as (config, store):
        work = _work(config, store, chosen)
        with _process(_DAEMON, str(settings), str(notes)) as (process, _):
            introduce(config, chosen.profiles)
            _wait_for(lambda: max(trip_daemon.read(notes)["events"], default=0) >= chosen.profiles)
            person = Person(store, point_names(config))
            os.kill(process.pid, signal.SIGUSR1)  # a checkpoint is due
            if kills:
                person.start()
            sent = work.send(PATIENCE_S, enough=lambda: bool(trip_daemon.read(notes)["checkpoint"]))
            if not trip_daemon.read(notes)["checkpoint"]:
                raise SystemExit(f"the checkpoint took more than {PATIENCE_S:.0f} s")
            if kills:
                person.stop()
            found = _settled(store, notes, chosen.profiles + sent["events"])
    noted = trip_daemon.read(notes)
    began_s, ended_s = noted["checkpoint"][0]
    during = [t for t in found if began_s <= (t.anomaly_at or t.ordered_at) <= ended_s]
    measured = {
        **sent,
        "profiles": chosen.profiles,
        "checkpoint_s": round(ended_s - began_s, 2),
        "turn_ms": _turn_ms(noted["turn"], began_s, ended_s),
        "automatic": in_ms(automatic(during, noted["committed"])),
    }
    return measured | ({"by_hand": in_ms(by_hand(during, person.ordered_in_s))} if kills else {})


def _turn_ms(turns: list[list[float]], began_s: float, ended_s: float) -> dict[str, float]:
    """How long the worker's loop was held up at most by one turn meanwhile."""
    during = [turn for turn in turns if began_s <= turn[0] + turn[1] and turn[0] <= ended_s]
    clock = max((took_s for _, took_s, _ in during), default=0.0)
    cpu = max((used_s for _, _, used_s in during), default=0.0)
    return {"worst_by_the_clock": round(1000 * clock, 1), "worst_of_cpu": round(1000 * cpu, 1)}


def _work(config: Config, store: Store, chosen: argparse.Namespace) -> Work:
    return Work(config, store, agents=chosen.agents, rate=chosen.rate, trips_per_s=chosen.trips)


@contextmanager
def _store(settings: Path) -> Iterator[tuple[Config, Store]]:
    config = load(settings)
    with closing(Store.open(config.store)) as store:
        yield config, store


def _settled(store: Store, notes: Path, events: int) -> list[Trip]:
    """The trips, once (nearly) all of so many events were read and all trips are contained."""
    found: list[Trip] = []
    noted = events // trip_daemon.EVERY * trip_daemon.EVERY
    _wait_for(lambda: max(trip_daemon.read(notes)["events"], default=0) >= noted)

    def all_contained() -> bool:
        with store.read() as ledger:
            found[:] = trips.list_trips(ledger, limit=100_000)
        return all(trip.contained_at for trip in found)

    _wait_for(all_contained)
    return found


def _reads(store: Store) -> bool:
    """Whether the daemon has begun to read its partition."""
    with store.read() as ledger:
        return ledger.execute(select(claims.c.owner)).first() is not None


def _wait_for(done: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > deadline_s:
            raise SystemExit("waited in vain")
        time.sleep(0.1)


@contextmanager
def _process(module: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process, and the line that it prints once it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, "BENCH_SECRET": SECRET},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        if not (ready := process.stdout.readline().strip()):
            raise SystemExit(f"{module} did not start")
        yield process, ready
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        process.stdout.close()


def gateway() -> None:
    """A gateway that obeys, until it is ended."""
    with gateway_server() as server:
        print(server.url, flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
