"""The main job, end to end: the real daemon, Kafka and both databases, with crashes on the way."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaProducer  # type: ignore[import-untyped]
from sqlalchemy import func, select

from monitor import config, policies
from monitor.config import StoreConfig
from monitor.replay import Replay
from monitor.store import Store, schema
from monitor.store.schema import anomalies, outbox, shards
from tests.conftest import PARTITIONS
from tests.kit.broker import Broker
from tests.kit.daemon import Daemon, tripswitch
from tests.kit.recorded import RecordedMissing, recorded
from tests.kit.slack_server import CHANNEL, TOKEN, SlackServer

pytestmark = [
    pytest.mark.service,
    pytest.mark.filterwarnings(f"default::{RecordedMissing.__module__}.RecordedMissing"),
]
KILLS = 5
EVENTS = 12_000
"""Enough to be killed five times on the way, with more than a hundred anomalies."""


def produce(broker: Broker, topic: str, lines: Sequence[bytes]) -> int:
    """Send lines keyed by their agent, as producers do; returns how many."""
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers, linger_ms=20)
    for line in lines:
        try:
            key = json.loads(line)["agent_id"].encode()
        except (ValueError, KeyError, TypeError):
            key = None
        producer.send(topic, key=key, value=line)
    producer.flush()
    producer.close()
    return len(lines)


@pytest.fixture
def settings(kafka: Broker, topic: str, store_url: str) -> dict[str, str]:
    return {
        "TRIPSWITCH_SOURCE__KIND": "kafka",
        "TRIPSWITCH_SOURCE__TOPIC": topic,
        "TRIPSWITCH_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "TRIPSWITCH_KAFKA__GROUP_ID": topic,
        "TRIPSWITCH_KAFKA__SESSION_TIMEOUT_S": "1",
        "TRIPSWITCH_KAFKA__DEAD_LETTER_TOPIC": f"{topic}-dead",
        "TRIPSWITCH_KAFKA__REVOCATIONS_TOPIC": f"{topic}-revocations",
        "TRIPSWITCH_STORE__URL": store_url,
        "TRIPSWITCH_STORE__CHECKPOINT_INTERVAL_S": "0.2",
        "TRIPSWITCH_BUDGET__ALERTS_PER_AGENT_PER_WEEK": "50",
    }


@pytest.fixture
def daemon(tmp_path: Path, settings: dict[str, str]) -> Iterator[Daemon]:
    one = Daemon(tmp_path, settings)
    yield one
    if one.is_running():
        one.kill()


def read_up_to(store: Store) -> int:
    """How many records the checkpoints cover, over all partitions."""
    with store.state() as state:
        found = state.execute(
            select(func.sum(shards.c.next_offset)).where(shards.c.next_offset >= 0)
        )
        return int(found.scalar_one() or 0)


def expected_ids(settings: dict[str, str], topic: str, lines: Sequence[bytes]) -> list[str]:
    """The anomaly ids of an undisturbed replay."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        chosen = config.load()
    expected: list[str] = []
    replay = Replay(
        policies.detection(chosen),
        policies.response(chosen, (), ()),
        partitions=PARTITIONS,
        on_anomaly=lambda anomaly: expected.append(anomaly.anomaly_id),
    )
    replay.run(iter(lines), topic)
    return expected


def test_killed_five_times_it_finds_exactly_what_a_replay_finds(
    kafka: Broker, topic: str, settings: dict[str, str], store_url: str, daemon: Daemon
) -> None:
    lines = recorded("role")[:EVENTS]
    part = len(lines) // (KILLS + 2)
    sent = produce(kafka, topic, lines[:-part])
    expected = expected_ids(settings, topic, lines)
    assert len(expected) > 100

    with closing(Store.open(StoreConfig(url=store_url))) as store:
        for kill in range(1, KILLS + 1):
            daemon.start()
            daemon.wait_for(lambda kill=kill: read_up_to(store) >= part * kill)  # type: ignore[misc]
            daemon.kill()
        total = sent + produce(kafka, topic, lines[-part:])  # the last kill, too, was on the way
        daemon.start()
        daemon.wait_for(lambda: read_up_to(store) == total)
        assert daemon.stop() == 0

        with store.read() as ledger:
            found = list(ledger.execute(select(anomalies.c.anomaly_id)).scalars())
            told = list(ledger.execute(select(outbox.c.delivery_id)).scalars())
    assert sorted(found) == sorted(expected)
    assert len(told) == len(set(told)) > 0


def test_a_kill_order_survives_that_everything_is_down(
    kafka: Broker, settings: dict[str, str], store_url: str, daemon: Daemon
) -> None:
    settings["TRIPSWITCH_TRIP__POINT_TIMEOUT_S"] = "2"
    daemon.start()
    with closing(Store.open(StoreConfig(url=store_url))) as store:
        daemon.wait_for(lambda: shard_count(store) == PARTITIONS)
    assert daemon.stop() == 0
    kafka.stop()
    try:
        code, (order,), _ = tripswitch(
            settings, "kill", "payroll-1", "--reason", "mails strangers", "--json"
        )
        assert code == 3
        assert points(order) == {"registry": "confirmed", "kafka": "failed"} or points(order) == {
            "registry": "confirmed",
            "kafka": "pending",
        }
        code, (order,), _ = tripswitch(settings, "trips", "--json")
        assert (code, order["agent_id"], order["state"]) == (0, "payroll-1", "tripping")
        code, _, _ = tripswitch(settings, "grants", "check", "payroll-1", "--scope", "mail")
        assert code == 4
    finally:
        kafka.start()
    daemon.start()
    with closing(Store.open(StoreConfig(url=store_url))) as store:
        daemon.wait_for(lambda: states(store) == {"registry": "confirmed", "kafka": "confirmed"})
    assert daemon.stop() == 0
    _, (order,), _ = tripswitch(settings, "trips", "--json")
    assert points(order) == {"registry": "confirmed", "kafka": "confirmed"}


def states(store: Store) -> dict[str, str]:
    """How far each enforcement point is, of the one order."""
    with store.read() as ledger:
        rows = ledger.execute(select(schema.points.c.point, schema.points.c.state))
        return dict(iter(rows))


def points(order: dict[str, object]) -> dict[str, str]:
    its = order["points"]
    assert isinstance(its, list)
    return {point["point"]: point["state"] for point in its}


def shard_count(store: Store) -> int:
    with store.state() as state:
        return int(state.execute(select(func.count()).select_from(shards)).scalar_one())


def test_what_is_no_event_goes_to_the_dead_letter_topic_and_the_rest_goes_on(
    kafka: Broker, topic: str, settings: dict[str, str], store_url: str, daemon: Daemon
) -> None:
    from kafka import KafkaConsumer

    bad = [b"", b"{", b'{"agent_id": "a"}', b"\xff" * 100, b'"' + b"x" * 900_000 + b'"']
    good = [
        json.dumps(
            {"event_id": f"e{n}", "time": "2026-01-01T00:00:00Z", "agent_id": "a", "action": "x"}
        ).encode()
        for n in range(10)
    ]
    mixed = [line for pair in zip(bad, good[:5], strict=True) for line in pair] + good[5:]
    total = produce(kafka, topic, mixed)
    daemon.start()
    with closing(Store.open(StoreConfig(url=store_url))) as store:
        daemon.wait_for(lambda: read_up_to(store) == total)
    assert daemon.stop() == 0
    consumer = KafkaConsumer(
        f"{topic}-dead",
        bootstrap_servers=kafka.bootstrap_servers,
        auto_offset_reset="earliest",
        consumer_timeout_ms=5000,
    )
    letters = []
    for record in consumer:
        letters.append(record)
        if len(letters) == len(bad):
            break
    consumer.close()
    assert sorted(letter.value for letter in letters) == sorted(bad)
    for letter in letters:
        headers = {key: value.decode() for key, value in letter.headers}
        assert headers["reason"]
        assert letter.key.decode().startswith(f"{topic}/")


def test_slack_is_told_what_and_why_and_how_to_kill_it(
    kafka: Broker, topic: str, settings: dict[str, str], daemon: Daemon, slack: SlackServer
) -> None:
    settings |= {
        "TRIPSWITCH_SLACK__CHANNEL": CHANNEL,
        "TRIPSWITCH_SLACK__BOT_TOKEN": TOKEN,
        "TRIPSWITCH_SLACK__API_URL": slack.url,
        "TRIPSWITCH_BOUNDARIES": '[{"roles": ["payroll"], "tools": ["read_*"]}]',
    }
    produce(kafka, topic, [json.dumps({
        "event_id": "e1", "time": "2026-01-01T00:00:00Z", "agent_id": "payroll-1",
        "role": "payroll", "action": "tool_call", "tool": "send_email",
        "target": "<!channel> *mallory*@evil.example", "trace_id": "t1",
    }).encode()])  # fmt: skip
    daemon.start()
    daemon.wait_for(lambda: len(slack.accepted) == 1)
    body = json.dumps(slack.accepted[0].payload, ensure_ascii=False)
    for said in ("payroll-1", "send_email", "beyond the", "tripswitch kill payroll-1", "t1"):
        assert said in body
    assert daemon.stop() == 0
