"""What the monitor is seen by: a worker and a source that a test sets."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import select

from alerting.health import Trouble
from alerting.message import Message
from baselines.event import ActionEvent
from detectors.budget import Budget
from detectors.shard import Policy, Shard
from monitor.config import Config
from monitor.config_health import HealthConfig
from monitor.counts import Counts
from monitor.current import Current
from monitor.health import Health
from monitor.health_probes import SourceProbe
from monitor.pulse import Pulse
from monitor.sources import Gone, SourceError
from monitor.store import Store
from monitor.store.schema import outbox as table
from monitor.timing import Timing
from tests.kit.clock import NOW, Clock
from tests.kit.events import raw_event


@dataclass
class Held:
    """A partition as the worker has it."""

    next_offset: int = 0
    saved_offset: int = 0
    watermark_s: float = NOW
    shard: Shard = field(default_factory=lambda: Shard("topic", 0, Policy.of(Budget())))


@dataclass
class Topic:
    """Ends of a source that a test sets."""

    ends: dict[int, int]
    unit: str = "records"
    why: str | None = None
    only_markers: bool = False
    name: str = "topic"
    gone: Gone = field(default_factory=Gone)
    asked: int = 0

    def ask(self, partitions: object) -> dict[int, int]:
        if self.why is not None:
            raise SourceError(self.why)
        return self.ends

    def has_more(self, partition: int, offset: int) -> bool:
        self.asked += 1
        return not self.only_markers

    def close(self) -> None:
        pass


@dataclass
class FakeWorker:
    """What probes see of a worker."""

    source: Topic
    owned: dict[int, Held]
    counts: Counts = field(default_factory=Counts)
    pulse: Pulse = field(default_factory=Pulse)
    timing: Timing = field(default_factory=Timing)


def kinds(troubles: Iterator[Trouble]) -> list[str]:
    return [one.kind for one in troubles]


def by(**settings: object) -> Current:
    """The settings in force, with these of health."""
    return Current(Config(health=HealthConfig(**settings)))  # type: ignore[arg-type]


def source_probe(topic: Topic, worker: FakeWorker, **settings: object) -> SourceProbe:
    return SourceProbe(worker, topic, by(**settings))  # type: ignore[arg-type]


def health(
    store: Store,
    clock: Clock,
    *probes: object,
    receivers: str = "slack terminal",
    pulse: Pulse | None = None,
) -> Health:
    return Health(
        store,
        by(),
        process="p",
        receivers=receivers.split(),
        pulse=pulse or Pulse(),
        probes=probes,  # type: ignore[arg-type]
        wake=lambda: None,
        clock=clock,
    )


def told(store: Store, receiver: str) -> list[Message]:
    with store.read() as ledger:
        query = select(table.c.doc).where(table.c.receiver == receiver).order_by(table.c.seq)
        found = [Message.model_validate_json(doc) for doc in ledger.execute(query).scalars()]
    return [one for one in found if one.kind.startswith("health")]


def event(agent_id: str, time_s: float, log_s: float) -> tuple[ActionEvent, bytes, int, float]:
    raw = raw_event(1, time_s, agent_id=agent_id)
    return ActionEvent.parse(raw, log_s), raw, 0, log_s


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
