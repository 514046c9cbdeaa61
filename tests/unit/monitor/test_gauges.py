from pathlib import Path

from prometheus_client import CollectorRegistry

from alerting.health_rules import RULES
from monitor.gauges import Gauges
from monitor.status import Status
from tests.kit.events import raw_event
from tests.kit.metric_names import idle_service


def test_what_the_daemon_does_is_told_without_any_agent(tmp_path: Path) -> None:
    service = idle_service(tmp_path)
    lines = [raw_event(n, agent_id=f"agent-{n}") for n in range(3)]
    (tmp_path / "events.jsonl").write_bytes(b"\n".join([*lines, b"no event", b""]))
    while service.worker.counts.events < 3:
        service.worker.step()
    service.health.look()
    registry = CollectorRegistry()
    registry.register(Gauges(service.worker, service.health))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"tripswitch_{name}", labels)

    assert value("events_total") == 3
    assert value("rejected_total") == 1
    assert value("partitions") == 1
    assert value("profiles_in_memory") == 3
    assert value("lag") == value("lag_seconds") == 0
    assert value("ready") == 1
    assert {value("condition", kind=kind) for kind in RULES} <= {0.0, 1.0}
    labels = [s.labels for family in registry.collect() for s in family.samples]
    assert not any("agent" in text for of in labels for text in of.values())
    line = Status(service.worker, service.health).line()
    assert "1 partitions; 3 events" in line
    assert "1 refused; 3 agents in memory; observing" in line
    service.close()
