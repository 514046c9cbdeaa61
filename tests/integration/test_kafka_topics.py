"""Several topics as one source: shards of each, what is taught in each, and silence in all."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kafka import KafkaProducer  # type: ignore[import-untyped]
from sqlalchemy import select

from alerting.killswitch import AgentState
from monitor import policies
from monitor.checkup.sample import check_sample
from monitor.config import Config, StoreConfig
from monitor.config_source import KafkaConfig, SourceConfig
from monitor.dead_letter import FileDeadLetters
from monitor.health_source import open_ends
from monitor.ledger import trips
from monitor.sources.kafka import KafkaSource
from monitor.sources.partition import partition_for
from monitor.store import Store, inventory
from monitor.store.schema import actions
from monitor.timing import Timing
from monitor.watchtower import Watchtower
from monitor.worker import Worker
from tests.kit.broker import Broker, create_topic
from tests.kit.events import raw_event

pytestmark = pytest.mark.service

WAIT_S = 60.0
AGENT = "payroll-01"


@pytest.fixture
def config(kafka: Broker, tmp_path: Path) -> Config:
    topics = (create_topic(kafka, 3), create_topic(kafka, 1))
    return Config(
        source=SourceConfig(kind="kafka", topics=topics),
        kafka=KafkaConfig(
            bootstrap_servers=kafka.bootstrap_servers, group_id=topics[0], session_timeout_s=1
        ),
        store=StoreConfig(url=f"sqlite:///{tmp_path / 'ledger.db'}"),
    )


def worker_of(config: Config, store: Store, tmp_path: Path) -> Worker:
    return Worker(
        source=KafkaSource(config.source, config.kafka),
        store=store,
        dead_letters=FileDeadLetters(tmp_path / "rejected.jsonl"),
        policy=policies.detection(config),
        response=policies.response(config, (), ("registry",)),
        watchtower=Watchtower(allowed_skew_s=0.0, silent_after_s=1.0),
        owner="test",
        on_ledger=lambda: None,
        keeps_history=True,
        timing=Timing(poll_s=0.05, checkpoint_s=0.1),
    )


def step_until(worker: Worker, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < deadline
        worker.step()


def test_silence_takes_every_topic_that_the_agent_may_write_to(
    config: Config, tmp_path: Path
) -> None:
    store = Store.open(config.store)
    producer = KafkaProducer(bootstrap_servers=config.kafka.bootstrap_servers)
    acts, calls = config.source.read_topics
    number = 0

    def send(topic: str, agent: str = AGENT, **fields: str) -> None:
        nonlocal number
        number += 1
        line = raw_event(number, time.time(), agent_id=agent, **fields)
        # Anybody's event moves a partition's time: all go where this agent's would.
        home = partition_for(AGENT, 3) if topic == acts else 0
        producer.send(topic, line, key=agent.encode(), partition=home)
        producer.flush()

    def state() -> AgentState | None:
        with store.read() as ledger:
            return trips.get(ledger, trip.trip_id).state

    send(acts)
    send(calls)
    worker = worker_of(config, store, tmp_path)
    step_until(worker, lambda: worker.counts.events == 2)
    worker.checkpoint()
    ends = open_ends(config, worker.source)
    assert ends is not None
    behind = ends.ask(worker.owned)
    assert {n: one.next_offset for n, one in worker.owned.items()} == behind
    ends.close()
    with store.read() as ledger, store.read_state() as saved:
        (known,) = inventory.newest(saved, limit=9)
        assert {place.source for place in known.sightings} == {acts, calls}
        kept = ledger.execute(select(actions.c.source).order_by(actions.c.source)).scalars().all()
        assert kept == sorted([acts, calls])

    with store.ledger() as ledger:
        trip = trips.order_kill(
            ledger, agent_id=AGENT, reason="r", ordered_by="os:a", automatic=False,
            now_s=time.time(), points=["registry"], receivers=[],
        )  # fmt: skip
    step_until(worker, lambda: AGENT in worker.watchtower.watches)  # it looks now and then
    assert len(worker.watchtower.watches[AGENT]) == 2
    time.sleep(1.1)  # silence is a matter of the broker's time
    send(acts, "other")
    step_until(worker, lambda: worker.counts.events == 3)
    step_until(worker, lambda: _seen(store) == {f"{acts}/{partition_for(AGENT, 3)}"})
    assert state() is AgentState.CONTAINED, "nobody knows yet what it does in the other topic"
    send(calls, status="denied")
    step_until(worker, lambda: state() is AgentState.SILENT)
    with store.read() as ledger:
        assert trips.get(ledger, trip.trip_id).refused_count == 1
    send(calls)
    step_until(worker, lambda: state() is AgentState.CONTAINED)
    producer.close()
    worker.source.close()
    store.close()


def _seen(store: Store) -> set[str]:
    """The partitions that show silence."""
    with store.read() as ledger:
        (watched,) = trips.watched(ledger)
    return {place for place, seen in watched.seen.items() if seen.quiet}


def test_a_sample_is_of_all_topics_and_each_must_exist(config: Config) -> None:
    producer = KafkaProducer(bootstrap_servers=config.kafka.bootstrap_servers)
    for topic in config.source.read_topics:
        producer.send(topic, raw_event(1), key=b"payroll-1").get(WAIT_S)
    producer.close()
    (verdict, *_) = check_sample(config)
    assert "2 messages: 2 events" in verdict.text
