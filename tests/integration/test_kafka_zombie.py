"""A process that woke with an assignment of yesterday takes a claim, and does not keep it."""

from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaProducer  # type: ignore[import-untyped]
from sqlalchemy import select

from monitor import policies
from monitor.config import Config, StoreConfig
from monitor.config_source import KafkaConfig, SourceConfig
from monitor.owned import Owned
from monitor.store import Store
from monitor.store.schema import actions
from tests.integration.test_kafka_topics import step_until, worker_of
from tests.kit.broker import Broker
from tests.kit.events import START_S, raw_event

pytestmark = pytest.mark.service

PARTITION = 2


def test_who_has_the_partition_takes_it_back_and_reads_it_once(
    kafka: Broker, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.holdings.AGAIN_S", 0.5)
    config = Config(
        source=SourceConfig(kind="kafka", topic=topic),
        kafka=KafkaConfig(
            bootstrap_servers=kafka.bootstrap_servers, group_id=topic, session_timeout_s=1
        ),
        store=StoreConfig(url=f"sqlite:///{tmp_path / 'ledger.db'}"),
    )

    def send(*numbers: int) -> None:
        with closing(KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)) as producer:
            for number in numbers:
                line = raw_event(number, START_S + number)
                producer.send(topic, line, key=b"payroll-1", partition=PARTITION)

    def saved() -> int:
        return next((o.saved_offset for o in worker.owned.values() if o.number == PARTITION), -1)

    with closing(Store.open(config.store)) as store:
        worker = worker_of(config, store, tmp_path)
        send(*range(5))
        step_until(worker, lambda: saved() == 5)
        zombie, place = Owned.take(store, topic, PARTITION, policies.detection(config), "zombie")
        assert place is not None
        send(*range(5, 9))
        step_until(worker, lambda: PARTITION not in worker.owned)
        send(*range(9, 12))  # discarded as long as it is not its own
        step_until(worker, lambda: saved() == 12)
        assert worker.owned[PARTITION].claim.epoch > zombie.claim.epoch
        assert worker.owned[PARTITION].shard.profiles["payroll-1"].events == 12
        with store.read() as ledger:
            kept = ledger.execute(select(actions.c.offset).order_by(actions.c.offset)).scalars()
            assert list(kept) == list(range(12))
        worker.source.close()


def test_what_went_to_another_member_is_left_to_it(
    kafka: Broker, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.holdings.AGAIN_S", 0.0)
    config = Config(
        source=SourceConfig(kind="kafka", topic=topic),
        kafka=KafkaConfig(
            bootstrap_servers=kafka.bootstrap_servers, group_id=topic, session_timeout_s=1
        ),
        store=StoreConfig(url=f"sqlite:///{tmp_path / 'ledger.db'}"),
    )
    with closing(Store.open(config.store)) as store:
        worker = worker_of(config, store, tmp_path)
        step_until(worker, lambda: len(worker.owned) == 4)
        place = worker.source._topics.partition(PARTITION)  # type: ignore[attr-defined]
        worker.source._on_lost([place])  # type: ignore[attr-defined]
        worker.step()
        worker._holdings._drop(PARTITION)
        for _ in range(5):
            worker.step()
        assert PARTITION not in worker.owned
        worker.source.close()
