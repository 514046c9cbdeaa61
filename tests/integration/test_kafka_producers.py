"""An impostor on a real topic: refused, kept, told; and a key that is replaced on the way."""

import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition  # type: ignore[import-untyped]

from monitor import config
from monitor.checkup.sample import check_sample
from monitor.service import Service, build
from tests.kit.broker import Broker
from tests.kit.events import raw_event
from tests.kit.health import told
from tests.kit.kafka_member import WAIT_S
from tests.kit.signing import signed

pytestmark = pytest.mark.service
OLD, NEW = b"old-secret-of-payroll", b"new-secret-of-payroll"


@pytest.fixture
def settings(kafka: Broker, topic: str, tmp_path: Path) -> Path:
    for name, secret in (("old", OLD), ("new", NEW)):
        (tmp_path / name).write_bytes(secret + b"\n")
    path = tmp_path / "tripswitch.toml"
    path.write_text(
        f"""
        [source]
        kind = "kafka"
        topic = "{topic}"
        [kafka]
        bootstrap_servers = "{kafka.bootstrap_servers}"
        group_id = "{topic}"
        dead_letter_topic = "{topic}-dead"
        [store]
        url = "sqlite:///{tmp_path}/ledger.db"
        [[producers]]
        name = "payroll"
        agents = ["payroll-*"]
        [[producers.keys]]
        id = "old"
        secret_file = "{tmp_path}/old"
        """
    )
    return path


@pytest.fixture
def service(settings: Path) -> Iterator[Service]:
    made = build(config.load(settings), io.StringIO())
    yield made
    made.close()


def send(broker: Broker, topic: str, *records: tuple[bytes, str, bytes | None]) -> None:
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers)
    for value, key, secret in records:
        headers = [] if secret is None else signed(value, key, secret)
        producer.send(topic, value, key=b"payroll-1", headers=headers)
    producer.flush()
    producer.close()


def test_an_impostor_is_refused_kept_and_told(
    kafka: Broker, topic: str, settings: Path, service: Service
) -> None:
    worker = service.worker

    def read(events: int, impostors: int) -> None:
        deadline = time.monotonic() + WAIT_S
        while (worker.counts.events, worker.counts.impostors) != (events, impostors):
            assert time.monotonic() < deadline, worker.counts
            worker.step()

    now_s = time.time()
    event = [raw_event(number, now_s) for number in range(6)]
    send(kafka, topic, (event[0], "old", OLD), (event[1], "", None), (event[2], "old", NEW))
    read(events=1, impostors=2)
    settings.write_text(
        settings.read_text()
        + f'[[producers.keys]]\nid = "new"\nsecret_file = "{settings.parent}/new"\n'
    )
    assert service.reload.now(settings)
    send(kafka, topic, (event[3], "new", NEW), (event[4], "old", OLD), (event[5], "new", OLD))
    read(events=3, impostors=3)
    worker.checkpoint()
    service.health.look()
    (message,) = told(worker.store, "terminal")
    assert dict(message.details)["condition"] == "impostor"
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap_servers)
    there = TopicPartition(f"{topic}-dead", 0)
    consumer.assign([there])
    consumer.seek_to_beginning(there)
    letters: list[object] = []
    while len(letters) < consumer.end_offsets([there])[there]:
        letters += [
            (one.value, dict(one.headers)["kind"]) for one in consumer.poll(500).get(there, [])
        ]
    consumer.close()
    assert letters == [(event[number], b"impostor") for number in (1, 2, 5)]
    verdicts = [one.text for one in check_sample(config.load(settings))]
    assert verdicts[0] == "6 messages: 3 events, 3 refused"
