"""A topic that gets more partitions: its agents move, with what is known of them."""

import time
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer  # type: ignore[import-untyped]

from alerting.killswitch import AgentState
from monitor.config import Config, StoreConfig
from monitor.config_source import KafkaConfig, SourceConfig
from monitor.ledger import trips
from monitor.sources.partition import partition_for
from monitor.store import Store
from tests.integration.test_kafka_topics import step_until, worker_of
from tests.kit.broker import Broker, create_topic
from tests.kit.events import raw_event

pytestmark = pytest.mark.service

AGENT = "payroll-01"
BEFORE, AFTER = 1, 4


@pytest.fixture
def config(kafka: Broker, tmp_path: Path) -> Config:
    topic = create_topic(kafka, BEFORE)
    return Config(
        source=SourceConfig(kind="kafka", topic=topic, start="latest"),
        kafka=KafkaConfig(
            bootstrap_servers=kafka.bootstrap_servers, group_id=topic, session_timeout_s=1
        ),
        store=StoreConfig(url=f"sqlite:///{tmp_path / 'ledger.db'}"),
    )


def test_an_agent_keeps_its_past_and_is_watched_where_it_is_now(
    config: Config, tmp_path: Path
) -> None:
    home = partition_for(AGENT, AFTER)
    assert home != partition_for(AGENT, BEFORE)
    store, topic = Store.open(config.store), config.source.topic
    worker = worker_of(config, store, tmp_path)
    number = 0

    def send(partition: int, agent: str = AGENT, **fields: str) -> None:
        nonlocal number
        number += 1
        line = raw_event(number, time.time(), agent_id=agent, **fields)
        servers = config.kafka.bootstrap_servers
        with closing(KafkaProducer(bootstrap_servers=servers)) as producer:  # it knows all by then
            producer.send(topic, line, key=agent.encode(), partition=partition)

    step_until(worker, lambda: len(worker.owned) == BEFORE)
    for _ in range(5):
        send(0)
    step_until(worker, lambda: worker.counts.events == 5)
    worker.checkpoint()
    with store.ledger() as ledger:
        trip = trips.order_kill(
            ledger, agent_id=AGENT, reason="r", ordered_by="os:a", automatic=False,
            now_s=time.time(), points=["registry"], receivers=[],
        )  # fmt: skip
    step_until(worker, lambda: AGENT in worker.watchtower.watches)
    for _ in range(3):
        send(0, status="denied")
    step_until(worker, lambda: worker.counts.events == 8)
    worker.checkpoint()

    with closing(KafkaAdminClient(bootstrap_servers=config.kafka.bootstrap_servers)) as admin:
        admin.create_partitions({topic: AFTER})
    send(home)  # before anybody reads there, at an offset that was passed in its old partition
    worker.source._consumer._cluster.request_update()  # type: ignore[attr-defined]
    step_until(worker, lambda: worker.counts.events == 9)
    assert worker.owned[home].shard.profiles[AGENT].summary().events == 9
    seen = _trip(store, trip.trip_id)
    assert (seen.effective_count, seen.refused_count) == (1, 3)

    elsewhere = next(n for n in range(1, AFTER) if n != home)
    send(elsewhere)  # where its key does not lead to
    step_until(worker, lambda: worker.counts.events == 10)
    assert _trip(store, trip.trip_id).effective_count == 2
    time.sleep(1.1)  # silence is a matter of the broker's time
    send(home, "other")
    send(0, "other")
    step_until(worker, lambda: worker.counts.events == 12)
    assert _trip(store, trip.trip_id).state is AgentState.CONTAINED, "who knows what it does there"
    send(elsewhere, "other")
    step_until(worker, lambda: _trip(store, trip.trip_id).state is AgentState.SILENT)
    worker.source.close()
    store.close()


def _trip(store: Store, trip_id: str) -> trips.Trip:
    with store.read() as ledger:
        return trips.get(ledger, trip_id)
