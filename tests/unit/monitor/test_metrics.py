import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from monitor.errors import TripswitchError
from monitor.ledger import meter, trips
from monitor.ledger.meter import Measured, Stage
from monitor.metrics import Metrics
from monitor.store import Store

NOW = 1_700_000_000.0


def kill(store: Store, agent_id: str, now_s: float = NOW, **changes: Any) -> trips.Trip:
    values: dict[str, Any] = {"ordered_by": "os:a", "automatic": False, "points": (), **changes}
    with store.ledger() as ledger:
        return trips.order_kill(
            ledger, agent_id=agent_id, reason="r", now_s=now_s, receivers=(), **values
        )


def take(store: Store, since_s: float = NOW) -> list[Measured]:
    with store.ledger() as ledger:
        return meter.take(ledger, since_s)


def test_each_stage_of_a_trip_is_taken_once(store: Store) -> None:
    trip = kill(store, "a", automatic=True, ordered_by="rule:x", anomaly_id="n", anomaly_at=NOW - 2)
    with ThreadPoolExecutor(4) as pool:  # as the daemons that share a store do
        taken = [one for some in pool.map(lambda _: take(store), range(4)) for one in some]
    assert sorted(taken, key=lambda one: one.stage) == [
        Measured(Stage.ORDERED, True, 2.0),
        Measured(Stage.CONTAINED, True, 0.0),
    ]
    with store.ledger() as ledger:
        assert not meter.any_new(ledger, NOW)
        trips.record_watch(
            ledger, trip.trip_id, effective=[NOW + 3], refused=0, watched_to=1, receivers=(),
            now_s=NOW + 4,
        )  # fmt: skip
        trips.mark_silent(ledger, trip.trip_id, receivers=(), now_s=NOW + 40)
        assert meter.any_new(ledger, NOW)
    assert take(store) == [
        Measured(Stage.SILENT, True, 3.0),
        Measured(Stage.LAST_ACTION, True, 3.0),
    ]
    assert take(store) == []


def test_what_was_before_is_not_taken(store: Store) -> None:
    kill(store, "a", NOW - 1)
    assert take(store) == []
    kill(store, "b", NOW)
    assert {one.stage for one in take(store)} == {Stage.ORDERED, Stage.CONTAINED}


def test_a_person_s_order_has_no_evidence_to_measure_from() -> None:
    metrics = Metrics()
    metrics.observe(
        [
            Measured(Stage.ORDERED, False, None),
            Measured(Stage.ORDERED, True, -0.5),  # a producer's clock is ahead
            Measured(Stage.CONTAINED, True, 0.2),
            Measured(Stage.SILENT, True, 31.0),
            Measured(Stage.LAST_ACTION, True, 12.0),
            Measured(Stage.LAST_ACTION, False, None),  # nothing succeeded after the order
        ]
    )

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"tripswitch_trip{name}", labels)

    assert value("s_total", automatic="no") == value("s_total", automatic="yes") == 1
    assert value("_anomaly_to_order_seconds_count", automatic="no") is None
    assert value("_anomaly_to_order_seconds_sum", automatic="yes") == 0
    assert value("_order_to_containment_seconds_bucket", automatic="yes", le="0.25") == 1
    assert value("_order_to_containment_seconds_bucket", automatic="yes", le="0.1") == 0
    assert value("_to_silence_seconds_sum", automatic="yes") == 31
    assert value("_order_to_last_action_seconds_sum", automatic="yes") == 12
    assert value("_order_to_last_action_seconds_count", automatic="no") is None


def test_metrics_are_served_and_the_port_is_given_back() -> None:
    metrics = Metrics()
    metrics.attempted("kafka", "revoke", True)
    metrics.attempted("kafka", "revoke", False)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TripswitchError, match=f"metrics.port {port} on 127.0.0.1: Address"):
            metrics.serve("127.0.0.1", port)
    stop = metrics.serve("127.0.0.1", port)
    told = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, timeout=60).text
    stop()
    outcome = 'tripswitch_point_attempts_total{direction="revoke",outcome="%s",point="kafka"} 1.0'
    assert outcome % "confirmed" in told
    assert outcome % "failed" in told
    metrics.serve("127.0.0.1", port)()
