"""Heads of the audit's chain, published on a real Kafka."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaProducer  # type: ignore[import-untyped]
from sqlalchemy import delete, update

from monitor import audit_heads
from monitor.audit_heads import Compared, Publisher
from monitor.cli.app import run
from monitor.config import StoreConfig
from monitor.config_source import KafkaConfig
from monitor.errors import ExitCode
from monitor.kafka_client import KafkaClientError
from monitor.ledger import audit, audit_read, grants
from monitor.store import Store
from monitor.store.schema import audit as table
from monitor.store.schema import audit_details, audit_head
from tests.kit.broker import Broker, create_topic
from tests.kit.daemon import Daemon, tripswitch
from tests.kit.forge import drop_triggers, rewrite
from tests.kit.revocations import read_topic

pytestmark = pytest.mark.service


@pytest.fixture
def config(kafka: Broker, topic: str) -> KafkaConfig:
    return KafkaConfig(
        bootstrap_servers=kafka.bootstrap_servers,
        audit_topic=f"{topic}-heads",
        request_timeout_s=5,
    )


@pytest.fixture
def publisher(store: Store, config: KafkaConfig) -> Iterator[Publisher]:
    made = Publisher(store, config)
    yield made
    made.close()


def append(store: Store, count: int = 1) -> None:
    with store.ledger() as ledger:
        for number in range(count):
            audit.append(
                ledger, at_s=1.8e9 + number, actor="os:alice", action="did", subject="a", doc={}
            )


def grow(store: Store, publisher: Publisher) -> None:
    """Four heads of eight entries: 2, 4, 6, 8."""
    for _ in range(4):
        append(store, 2)
        assert publisher.publish()


def whole(store: Store) -> bool:
    with store.snapshot() as ledger:
        return audit.verify(ledger) is None


def identity(store: Store) -> str:
    with store.snapshot() as ledger:
        return audit_read.store_id(ledger) or ""


def put(config: KafkaConfig, key: bytes, value: bytes | None) -> None:
    producer = KafkaProducer(bootstrap_servers=config.bootstrap_servers)
    producer.send(config.audit_topic, key=key, value=value).get(timeout=60)
    producer.close()


def test_each_new_head_is_published_once(
    store: Store, config: KafkaConfig, publisher: Publisher
) -> None:
    assert not publisher.publish()  # nothing yet
    append(store)
    assert publisher.publish()
    assert not publisher.publish()
    append(store, 2)
    assert publisher.publish()
    found = read_topic(config.bootstrap_servers or "", config.audit_topic)
    with store.snapshot() as ledger:
        head = audit_read.head(ledger)
    assert head is not None
    assert [record["entries"] for record in found] == [1, 3]
    assert found[1] == found[1] | {
        "hash": head.hash, "store_id": identity(store), "key": identity(store)
    }  # fmt: skip
    assert audit_heads.compare(store, config) == Compared(None, 2, 0)


def test_a_chain_that_was_made_anew_is_found_out(
    store: Store, config: KafkaConfig, publisher: Publisher
) -> None:
    grow(store, publisher)
    assert audit_heads.compare(store, config) == Compared(None, 4, 0)
    with store.ledger() as ledger:
        drop_triggers(ledger)
        rewrite(ledger, 3, {"facts": '{"n":1}'})
    assert whole(store)
    fault = audit_heads.compare(store, config).fault or ""
    assert fault.startswith("entry 4 is not the one that was published on 20")
    assert publisher.publish()  # the forger's head, by a daemon that knows nothing of it
    assert audit_heads.compare(store, config).fault == fault


def test_a_chain_that_was_cut_short_is_found_out(
    store: Store, config: KafkaConfig, publisher: Publisher
) -> None:
    grow(store, publisher)
    with store.ledger() as ledger:
        drop_triggers(ledger)
        for part in (table, audit_details):
            ledger.execute(delete(part).where(part.c.seq > 5))
        rewrite(ledger, 0, {})
    assert whole(store)
    fault = audit_heads.compare(store, config).fault or ""
    assert fault.startswith("entry 6 is missing; it was published on 20")
    append(store, 3)  # and filled up with others
    assert whole(store)
    fault = audit_heads.compare(store, config).fault or ""
    assert fault.startswith("entry 6 is not the one that was published on 20")


def test_a_chain_under_another_name_is_found_out(
    store: Store, config: KafkaConfig, publisher: Publisher
) -> None:
    grow(store, publisher)
    with store.ledger() as ledger:
        drop_triggers(ledger)
        ledger.execute(update(audit_head).values(store_id="new"))
    assert whole(store)
    fault = audit_heads.compare(store, config).fault or ""
    assert fault.startswith("no head of this chain (new) is on topic")


def test_other_stores_and_rubbish_do_not_matter(
    store: Store, config: KafkaConfig, publisher: Publisher
) -> None:
    append(store)
    publisher.publish()
    mine = identity(store).encode()
    other = {"store_id": "other", "entries": 1, "hash": "x", "at": "y"}
    put(config, b"other", json.dumps(other).encode())
    for value in (None, b"", b"{", b"\xff", b"[]", json.dumps(other).encode(), b"[" * 10_000):
        put(config, mine, value)
    assert audit_heads.compare(store, config) == Compared(None, 1, 7)


def test_with_the_broker_away_the_head_goes_out_later(
    store: Store, config: KafkaConfig, publisher: Publisher, kafka: Broker,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    append(store)
    publisher.publish()
    append(store)
    kafka.stop()
    try:
        assert publisher.publish()
        assert publisher.publish()
    finally:
        kafka.start()
    assert caplog.text.count("the audit's head is not published: ") == 1
    assert publisher.publish()
    assert not publisher.publish()
    assert audit_heads.compare(store, config) == Compared(None, 2, 0)


def test_a_topic_that_is_not_there_is_named(store: Store, config: KafkaConfig) -> None:
    with pytest.raises(KafkaClientError, match=r"has no topic .*kafka\.audit_topic"):
        audit_heads.compare(store, config)


def test_the_command_names_what_differs(
    tmp_path: Path, kafka: Broker, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    topic = create_topic(kafka, 3)  # several partitions, as somebody else may have made it
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    monkeypatch.setenv("TRIPSWITCH_KAFKA__BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    monkeypatch.setenv("TRIPSWITCH_KAFKA__AUDIT_TOPIC", topic)
    config = KafkaConfig(bootstrap_servers=kafka.bootstrap_servers, audit_topic=topic)
    assert run(["audit", "verify"]) == ExitCode.DONE
    store = Store.open(StoreConfig(url=f"sqlite:///{tmp_path / 'ledger.db'}"))
    publisher = Publisher(store, config)
    grow(store, publisher)
    publisher.close()
    capsys.readouterr()
    assert run(["audit", "verify", "--published", "--json"]) == ExitCode.DONE
    said = json.loads(capsys.readouterr().out)
    assert (said["whole"], said["published_heads"], said["unreadable_records"]) == (True, 4, 0)
    with store.ledger() as ledger:
        drop_triggers(ledger)
        rewrite(ledger, 7, {"action": "nothing"})
    store.close()
    assert run(["audit", "verify"]) == ExitCode.DONE
    assert run(["audit", "verify", "--published"]) == ExitCode.FAILED
    assert "entry 8 is not the one that was published on " in capsys.readouterr().out


def test_the_daemon_publishes_heads_and_erases_what_is_too_old(
    tmp_path: Path, config: KafkaConfig
) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    settings = {
        "TRIPSWITCH_STORE__URL": url,
        "TRIPSWITCH_KAFKA__BOOTSTRAP_SERVERS": config.bootstrap_servers or "",
        "TRIPSWITCH_KAFKA__AUDIT_TOPIC": config.audit_topic,
        "TRIPSWITCH_RETENTION__AUDIT_DETAILS_DAYS": "0.00001",
        "TRIPSWITCH_SOURCE__KIND": "log",
        "TRIPSWITCH_SOURCE__PATH": str(tmp_path / "events.jsonl"),
    }
    (tmp_path / "events.jsonl").touch()
    store = Store.open(StoreConfig(url=url))
    with store.ledger() as ledger:
        grants.add(
            ledger, agent_id="a", scope="s", reason="r", granted_by="os:x", now_s=time.time() - 60
        )

    def is_published_and_erased() -> bool:
        with contextlib.suppress(KafkaClientError):  # until the topic is there
            with store.snapshot() as ledger:
                oldest, *_ = audit.entries(ledger, 50)
            return (
                oldest["actor"] == "(erased)" and audit_heads.compare(store, config).fault is None
            )
        return False

    daemon = Daemon(tmp_path, settings)
    daemon.start()
    try:
        daemon.wait_for(is_published_and_erased)
        assert daemon.stop() == 0
    finally:
        if daemon.is_running():
            daemon.kill()
    assert whole(store)
    store.close()
    code, (verdict,), _ = tripswitch(settings, "audit", "verify", "--published", "--json")
    assert (code, verdict["whole"], verdict["unreadable_records"]) == (ExitCode.DONE, True, 0)
