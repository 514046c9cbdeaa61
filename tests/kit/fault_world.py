"""Daemons of one group on one topic, whoever they tell and cut off, and the stream they read."""

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from kafka import KafkaAdminClient, KafkaProducer  # type: ignore[import-untyped]
from sqlalchemy import func, select

from alerting.killswitch import OPEN
from monitor import config
from monitor.config import Config, StoreConfig
from monitor.store import Store
from monitor.store.schema import claims, outbox, points, shards
from tests.kit.broker import Broker, create_topic
from tests.kit.cramped import FLAG_VARIABLE
from tests.kit.daemon import Daemon
from tests.kit.fault_stream import fault_stream
from tests.kit.fickle_gateway import FickleGateway
from tests.kit.gateway_server import SECRET
from tests.kit.inbox_server import InboxServer
from tests.kit.postgres import Postgres

PARTITIONS: Final = 4
AGENTS: Final = 24
ENOUGH_S: Final = 150.0
"""Longer than anything takes, a delivery under the lease of a process that was killed, too."""
_SECRET_VARIABLE: Final = "FAULTS_SECRET"
_SETTINGS: Final = """
boundaries = [{{ roles = ["clerk"], tools = ["tool-?", "tool-1?"] }}]
[source]
kind = "kafka"
topic = "{topic}"
[kafka]
bootstrap_servers = "{servers}"
group_id = "{topic}"
session_timeout_s = 1.5
request_timeout_s = 3
dead_letter_topic = "{topic}-dead"
revocations_topic = "{topic}-revocations"
audit_topic = "{topic}-heads"
[store]
checkpoint_interval_s = {checkpoint_s}
[budget]
alerts_per_agent_per_week = 200
[alerts]
terminal = false
[slack]
timeout_s = 1
[[receivers]]
kind = "webhook"
name = "pager"
url = "{inbox}"
secret_variable = "FAULTS_SECRET"
timeout_s = 1
[trip]
max_automatic_per_hour = 1000
max_event_age_s = 1e10
point_timeout_s = 1
[[trip.rules]]
name = "beyond"
mode = "enforce"
severity = "low"
detectors = ["boundary"]
[[points]]
kind = "webhook"
name = "gateway"
url = "{gateway}"
secret_variable = "FAULTS_SECRET"
revoke = {{ path = "/agents/$agent_id/block" }}
restore = {{ path = "/agents/$agent_id/unblock" }}
"""


class Sent(NamedTuple):
    """A record that the topic has."""

    partition: int
    offset: int
    value: bytes


class FaultWorld:
    """What faults happen to.

    Parameters
    ----------
    directory
        For settings and logs.
    kafka, postgres
        What the daemons use; `postgres` is None where the store is in SQLite.
    store_url
        Of an empty store.
    processes
        So many daemons.
    chance
        Makes the stream, and says when faults happen.
    some
        So many lines are produced before a fault, and read while it happens.
    faults
        How many will happen; the stream is long enough.

    Attributes
    ----------
    sent
        All that was produced, in turn.
    store
        The daemons' store, for who looks on.
    topic, daemons, inbox, gateway, full_disk
        What the daemons read, they themselves, who is told, who cuts off, and a file that makes
        SQLite's disk full.
    """

    def __init__(
        self,
        directory: Path,
        kafka: Broker,
        postgres: Postgres | None,
        store_url: str,
        processes: int,
        chance: random.Random,
        some: int,
        faults: int,
    ) -> None:
        self.kafka, self.chance, self.some = kafka, chance, some
        self._postgres = postgres
        self._began_s = time.monotonic()
        self.topic = create_topic(kafka, PARTITIONS)
        self.inbox = InboxServer()
        self.gateway = FickleGateway("calm", ())
        self.gateway.calm = True
        self.full_disk = directory / "full-disk"
        self.sent: list[Sent] = []
        self._lines = fault_stream(chance, some * (faults + 3), AGENTS)
        file = directory / "tripswitch.toml"
        file.write_text(
            _SETTINGS.format(
                topic=self.topic, servers=kafka.bootstrap_servers,
                inbox=self.inbox.url, gateway=self.gateway.url,
                checkpoint_s=round(chance.uniform(0.1, 1.0), 1),
            )
        )  # fmt: skip
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(_SECRET_VARIABLE, SECRET)
            self.config: Config = config.load(file)
        environment = {
            _SECRET_VARIABLE: SECRET,
            "TRIPSWITCH_CONFIG": str(file),
            "TRIPSWITCH_STORE__URL": store_url,
            FLAG_VARIABLE: str(self.full_disk),
        }
        module = "monitor" if postgres else "tests.kit.cramped"
        command = (sys.executable, "-m", module, "run")
        self.daemons: list[Daemon] = []
        for number in range(processes):
            (home := directory / f"daemon-{number}").mkdir()
            self.daemons.append(Daemon(home, environment, command))
        self.store = Store.open(StoreConfig(url=store_url))
        self._producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers, linger_ms=20)

    @property
    def postgres(self) -> Postgres:
        """The server of a store that is there."""
        assert self._postgres is not None
        return self._postgres

    def close(self) -> None:
        """End everything."""
        for daemon in self.daemons:
            if daemon.is_running():
                daemon.kill()
        self._producer.close()
        self.store.close()
        self.gateway.close()
        self.inbox.close()

    def produce(self, times: float = 1) -> None:
        """Send the next lines of the stream: some, or as many times that."""
        self.produce_these(islice(self._lines, int(self.some * times)))

    def produce_rest(self) -> None:
        """Send what is left of the stream."""
        self.produce_these(self._lines)

    def produce_these(self, lines: Iterator[bytes]) -> None:
        """Send lines keyed by their agent, as producers do."""
        waiting = [
            (value, self._producer.send(self.topic, key=_key(value), value=value))
            for value in lines
        ]
        for value, delivery in waiting:
            told = delivery.get(timeout=ENOUGH_S)
            self.sent.append(Sent(told.partition, told.offset, value))

    def tell(self, what: str) -> None:
        """Print what is about to happen, and when."""
        print(f"{time.monotonic() - self._began_s:6.1f} s: {what}")

    def pause(self, most_s: float) -> None:
        """Let a random time pass, so that what follows happens anywhere in the daemons' work."""
        time.sleep(self.chance.uniform(0.0, most_s))

    def until(self, what: Callable[[], bool], why: str) -> None:
        """Wait until it holds; fails with the end of the daemons' logs."""
        deadline_s = time.monotonic() + ENOUGH_S
        while not what():
            logs = "\n".join(f"{d.log}:\n{d.log.read_text()[-2500:]}" for d in self.daemons)
            assert time.monotonic() < deadline_s, f"waited in vain until {why}\n{logs}"
            assert all(d.is_running() for d in self.daemons), f"a daemon ended by itself\n{logs}"
            time.sleep(0.05)

    def ends(self) -> dict[int, int]:
        """The offset behind the last record of each partition."""
        count = Counter(sent.partition for sent in self.sent)
        return {partition: count[partition] for partition in range(PARTITIONS)}

    def saved(self) -> dict[int, int]:
        """The offset to go on from of each partition, by the checkpoints."""
        with self.store.read_state() as state:
            rows = state.execute(select(shards.c.partition, shards.c.next_offset))
            return dict(iter(rows))

    def committed(self) -> dict[int, int]:
        """The offsets of the group, as Kafka tells them."""
        admin = KafkaAdminClient(bootstrap_servers=self.kafka.bootstrap_servers)
        with closing(admin):
            found = admin.list_group_offsets([self.topic])[self.topic]
        return {there.partition: told.offset for there, told in found.items()}

    def are_readers(self, daemons: Sequence[Daemon]) -> bool:
        """Whether each of these has claimed a partition, and nobody else has any."""
        with self.store.read() as ledger:
            owners = ledger.execute(select(claims.c.owner)).scalars()
            return {int(owner.split(":")[-2]) for owner in owners} == {d.pid for d in daemons}

    def is_read(self) -> bool:
        """Whether every record was read, and is covered by a checkpoint."""
        return self.saved() == self.ends()

    def is_done(self) -> bool:
        """Whether nothing is left to be told or driven."""
        with self.store.read() as ledger:
            waits = select(func.count()).where(outbox.c.state == "pending")
            drives = select(func.count()).where(points.c.state.in_(sorted(OPEN)))
            return not any(ledger.execute(query).scalar_one() for query in (waits, drives))


def _key(value: bytes) -> bytes | None:
    try:
        document: Any = json.loads(value)
        return str(document["agent_id"]).encode()
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
