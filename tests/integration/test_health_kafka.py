"""The broker goes away and comes back under the real daemon."""

import time
from pathlib import Path

import httpx
import pytest
from kafka import KafkaProducer  # type: ignore[import-untyped]
from sqlalchemy import select

from alerting.message import Message
from monitor.store import Store
from monitor.store.schema import outbox, shards
from tests.kit.broker import Broker
from tests.kit.daemon import Daemon
from tests.kit.events import raw_event
from tests.kit.health import free_port

pytestmark = pytest.mark.service


def test_a_broker_that_stops_is_a_stalled_source_until_it_is_back(
    kafka: Broker, topic: str, store: Store, store_url: str, tmp_path: Path
) -> None:
    port = free_port()
    daemon = Daemon(
        tmp_path,
        {
            "TRIPSWITCH_STORE__URL": store_url,
            "TRIPSWITCH_STORE__CHECKPOINT_INTERVAL_S": "0.5",
            "TRIPSWITCH_SOURCE__KIND": "kafka",
            "TRIPSWITCH_SOURCE__TOPIC": topic,
            "TRIPSWITCH_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "TRIPSWITCH_KAFKA__GROUP_ID": topic,
            "TRIPSWITCH_KAFKA__REQUEST_TIMEOUT_S": "3",
            "TRIPSWITCH_HEALTH__LOOK_EVERY_S": "0.5",
            "TRIPSWITCH_HEALTH__STALLED_S": "5",
            "TRIPSWITCH_METRICS__PORT": str(port),
        },
    )

    def produce(number: int) -> None:
        producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
        producer.send(topic, raw_event(number, time.time()), key=b"a").get(timeout=30)
        producer.close()

    def read() -> int:
        with store.read_state() as state:
            return sum(state.execute(select(shards.c.next_offset)).scalars())

    def told() -> list[str]:
        with store.read() as ledger:
            docs = ledger.execute(select(outbox.c.doc).order_by(outbox.c.seq)).scalars().all()
        return [
            f"{one.kind} {dict(one.details)['condition']}"
            for one in map(Message.model_validate_json, docs)
            if one.kind.startswith("health")
        ]

    def ready() -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False, timeout=60)

    produce(1)
    daemon.start()
    try:
        daemon.wait_for(lambda: read() == 1)
        daemon.wait_for(lambda: ready().json()["ready"] is True)
        kafka.stop()
        try:
            daemon.wait_for(lambda: "health stalled" in told())
            assert ready().status_code == 503
            assert any("stalled: " in reason for reason in ready().json()["reasons"])
        finally:
            kafka.start()
        produce(2)
        daemon.wait_for(lambda: "health_over stalled" in told())
        daemon.wait_for(lambda: read() == 2)
        daemon.wait_for(lambda: ready().json()["ready"] is True)
        assert told().count("health stalled") == told().count("health_over stalled")
        assert "health lag" not in told(), "what stalls explains that"
    finally:
        daemon.stop()
