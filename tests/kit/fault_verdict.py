"""What has to hold of a fleet of daemons once the faults are over."""

from collections import Counter, defaultdict
from typing import Any

import ormsgpack
from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]
from sqlalchemy import func, select

from baselines.event import ActionEvent, EventError
from baselines.packed import unpack
from detectors.shard import Shard
from monitor import policies
from monitor.ledger import audit
from monitor.replay import Replay
from monitor.store.schema import actions, alerts, anomalies, outbox, points, profiles, trips
from tests.kit.fault_world import PARTITIONS, FaultWorld


def each_anomaly_is_that_of_a_replay(world: FaultWorld) -> int:
    """The anomalies' ids are those of an undisturbed replay; returns how many there are."""
    expected: list[str] = []
    replay = Replay(
        policies.detection(world.config),
        policies.response(world.config, (), ()),
        partitions=PARTITIONS,
        on_anomaly=lambda anomaly: expected.append(anomaly.anomaly_id),
    )
    replay.run((sent.value for sent in world.sent), world.topic)
    with world.store.read() as ledger:
        found = list(ledger.execute(select(anomalies.c.anomaly_id)).scalars())
    assert sorted(found) == sorted(expected)
    return len(found)


def each_event_was_learned_once(world: FaultWorld) -> None:
    """Profiles are to the byte what the stream teaches, and each event is in the history."""
    policy = policies.detection(world.config)
    shards = [Shard(world.topic, number, policy) for number in range(PARTITIONS)]
    events: set[tuple[int, int]] = set()
    for sent in world.sent:
        shard = shards[sent.partition]
        try:
            event = ActionEvent.parse(sent.value)
        except EventError:
            continue
        repeats = shard.tally.repeats
        shard.feed(event, sent.value, sent.offset)
        if shard.tally.repeats == repeats:
            events.add((sent.partition, sent.offset))
    taught = {
        (shard.partition, profile.agent_id): ormsgpack.packb(profile.dump())
        for shard in shards
        for profile in shard.profiles.values()
    }
    columns = (profiles.c.partition, profiles.c.agent_id, profiles.c.body)
    with world.store.read_state() as state:
        stored = {
            (row.partition, row.agent_id): ormsgpack.packb(unpack(row.body, policy.rules).dump())
            for row in state.execute(select(*columns))
        }
    assert stored.keys() == taught.keys()
    assert {key for key in taught if stored[key] != taught[key]} == set()
    with world.store.read() as ledger:
        kept = ledger.execute(select(actions.c.partition, actions.c.offset)).all()
    assert {tuple(row) for row in kept} == events


def each_alert_was_told(world: FaultWorld) -> None:
    """Alerts have their anomalies; each message arrived, and what came twice has one key."""
    with world.store.read() as ledger:
        assert audit.verify(ledger) is None
        gathered = set(ledger.execute(select(anomalies.c.alert_id).distinct()).scalars())
        opened = set(ledger.execute(select(alerts.c.alert_id)).scalars())
        rows = ledger.execute(select(outbox)).all()
    assert gathered == opened
    assert {row.state for row in rows} == {"sent"}
    arrived: defaultdict[str, set[bytes]] = defaultdict(set)
    for asked in world.inbox.taken:
        arrived[asked.headers["idempotency-key"]].add(asked.body)
    assert arrived.keys() == {row.delivery_id for row in rows if row.kind != "updated"}
    assert {len(bodies) for bodies in arrived.values()} == {1}


def each_trip_was_ordered_once(world: FaultWorld) -> None:
    """Who did what no clerk may do was cut off once, everywhere."""
    with world.store.read() as ledger:
        beyond = set(
            ledger.execute(
                select(anomalies.c.agent_id).where(anomalies.c.detector == "boundary")
            ).scalars()
        )
        numbers = dict(iter(ledger.execute(select(trips.c.agent_id, trips.c.order_seq))))
        ordered = Counter(ledger.execute(select(trips.c.agent_id)).scalars())
        states = set(ledger.execute(select(points.c.state)).scalars())
        effective = ledger.execute(select(func.sum(trips.c.effective_count))).scalar_one()
    assert ordered == Counter(beyond)
    assert states == {"confirmed"}
    assert effective == 0
    assert world.gateway.obeyed == {agent: {numbers[agent]: {"revoked"}} for agent in beyond}


def each_poison_was_kept(world: FaultWorld) -> None:
    """What is no event is in the dead letters, with its place and its bytes."""
    expected: dict[str, bytes] = {}
    for sent in world.sent:
        try:
            ActionEvent.parse(sent.value)
        except EventError:
            expected[f"{world.topic}/{sent.partition}/{sent.offset}"] = sent.value
    found: dict[str, Any] = {}
    consumer = KafkaConsumer(
        bootstrap_servers=world.kafka.bootstrap_servers, auto_offset_reset="earliest", group_id=None
    )
    try:
        letters = TopicPartition(f"{world.topic}-dead", 0)
        consumer.assign([letters])
        (end,) = consumer.end_offsets([letters]).values()
        while consumer.position(letters) < end:
            for records in consumer.poll(timeout_ms=100).values():
                found |= {record.key.decode(): record.value for record in records}
    finally:
        consumer.close()
    assert found == expected


def each_offset_is_the_end(world: FaultWorld) -> None:
    """Checkpoints cover everything, and the group's offsets say so."""
    world.until(lambda: world.committed() == world.ends(), "the group's offsets are the ends")
    assert world.saved() == world.ends()
