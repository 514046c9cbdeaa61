import json
from pathlib import Path

import pytest
from sqlalchemy import func, select

from alerting.alert import Alert
from alerting.policy import fold
from alerting.trip_policy import Guards, Lately, Rule, decide_trip
from detectors.finding import Severity
from monitor.cli.app import run
from monitor.config import StoreConfig
from monitor.ledger import alerts, intake, shadows
from monitor.ledger.response import Response
from monitor.store import Store, schema
from tests.kit.anomalies import NOW, anomaly
from tests.kit.events import START_S, raw_event

ANY = Rule("any", mode="enforce", severity=Severity.LOW)
RESPONSE = Response([ANY], Guards(), ["terminal"], ["registry"], quiet_s=3600.0)


def test_what_is_in_shadow_is_kept_and_nothing_else_happens() -> None:
    store = Store.open(StoreConfig())
    found = [anomaly(f"s{n}", shadow=True, severity=Severity.CRITICAL) for n in range(3)]
    with store.ledger() as ledger:
        assert intake.record(ledger, found, RESPONSE, START_S) == 3
        assert intake.record(ledger, found, RESPONSE, START_S + 9) == 0, "known: passed over"
        for table in (schema.alerts, schema.outbox, schema.trips):
            assert ledger.execute(select(func.count()).select_from(table)).scalar() == 0
        kept = shadows.newest(ledger, agent_id=None, limit=10)
        assert shadows.newest(ledger, agent_id="other", limit=10) == []
    assert kept == found
    store.close()


def test_beside_one_that_alarms_only_that_one_counts() -> None:
    store = Store.open(StoreConfig())
    found = [anomaly("s", shadow=True, severity=Severity.CRITICAL), anomaly("a")]
    with store.ledger() as ledger:
        assert intake.record(ledger, found, RESPONSE, START_S) == 2
        alert = alerts.open_alert(ledger, "payroll-1")
        assert alert is not None
        gathered = alerts.anomalies_of(ledger, alert.alert_id)
        alerts.prune_anomalies(ledger, START_S + 1)
        assert shadows.newest(ledger, agent_id=None, limit=9) == [], "pruned with the others"
    assert (alert.severity, alert.anomaly_count) == (Severity.HIGH, 1)
    assert [a.anomaly_id for a in gathered] == ["a"]
    store.close()


def test_no_rule_trips_on_it() -> None:
    seen = anomaly("s", shadow=True)
    alert: Alert = fold(None, seen, NOW, 3600.0).alert
    assert decide_trip([ANY], Guards(), seen, alert, NOW, Lately()) is None
    assert decide_trip([ANY], Guards(), anomaly("a"), alert, NOW, Lately()) is not None


def test_a_replay_writes_it_out_and_counts_it_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log, out = tmp_path / "events.jsonl", tmp_path / "a.jsonl"
    log.write_bytes(b"".join(raw_event(n, tool=f"bad-{n}") + b"\n" for n in range(5)))
    monkeypatch.setenv("TRIPSWITCH_BOUNDARIES", '[{"tools": ["read_*"], "mode": "shadow"}]')
    assert run(["replay", str(log), "--out", str(out), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    written = [json.loads(line) for line in out.read_text().splitlines()]
    boundary = [one for one in written if one["detector"] == "boundary"]
    assert summary["in_shadow"] == len(boundary) == 5
    assert all(one["shadow"] for one in boundary)
    assert summary["anomalies"] == len(written) - 5
