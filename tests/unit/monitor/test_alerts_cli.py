import json
import re
from collections.abc import Iterator

import pytest

from alerting.trip_policy import Guards
from monitor.cli.app import run
from monitor.config import StoreConfig
from monitor.ledger import alerts, intake
from monitor.ledger.response import Response
from monitor.store import Store
from tests.kit.anomalies import anomaly
from tests.kit.events import START_S

HOSTILE = "pay\x1b[31mroll\u202e-1 <!channel>"
RESPONSE = Response([], Guards(), [], ["registry"], quiet_s=3600.0)


@pytest.fixture
def default_store() -> Iterator[Store]:
    store = Store.open(StoreConfig())
    yield store
    store.close()


@pytest.fixture
def alert_id(default_store: Store) -> str:
    found = [anomaly("a1", agent_id=HOSTILE, text="did \x1b]0;x\x07 a thing"), anomaly("a2")]
    found += [anomaly("a3", agent_id=HOSTILE, detector="loop", p_value=0.001)]
    with default_store.ledger() as ledger:
        assert intake.record(ledger, found, RESPONSE, START_S) == 3
        assert intake.record(ledger, found, RESPONSE, START_S) == 0, "known ones are passed over"
        alert = alerts.open_alert(ledger, HOSTILE)
    assert alert is not None
    return alert.alert_id


def test_alerts_are_listed_and_explained_without_any_escape(
    alert_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["alerts"]) == 0
    assert run(["explain", alert_id]) == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "\u202e" not in told
    assert alert_id in told
    assert re.search("would not have fired +none of it", told)
    assert "log, partition 0, offset 7, event e-a1" in told


def test_as_json_the_texts_are_whole(alert_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["alerts", "--agent", HOSTILE, "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.isascii()
    assert json.loads(line)["agent_id"] == HOSTILE
    assert run(["explain", alert_id, "--json"]) == 0
    story = json.loads(capsys.readouterr().out)
    assert [a["anomaly_id"] for a in story["anomalies"]] == ["a1", "a3"]


def test_a_person_resolves_with_a_reason(
    alert_id: str, default_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["resolve", alert_id, "--reason", "a drill", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["state"], told["resolved_reason"]) == ("resolved", "a drill")
    assert told["resolved_by"].startswith("os:")
    assert run(["audit", "--json"]) == 0
    assert "alert resolved" in capsys.readouterr().out
    with default_store.ledger() as ledger:
        assert alerts.open_alert(ledger, HOSTILE) is None
        assert intake.record(ledger, [anomaly("a9", agent_id=HOSTILE)], RESPONSE, START_S) == 1
        again = alerts.open_alert(ledger, HOSTILE)
    assert again is not None
    assert again.alert_id != alert_id


def test_quiet_resolves_and_old_ones_are_pruned(alert_id: str, default_store: Store) -> None:
    with default_store.ledger() as ledger:
        assert alerts.resolve_what_is_quiet(ledger, [], 3600.0, START_S + 3600) == 0
        assert alerts.resolve_what_is_quiet(ledger, [], 3600.0, START_S + 3601) == 2
        assert alerts.prune_anomalies(ledger, START_S) == 0
        assert alerts.prune(ledger, START_S + 1) > 0
        assert alerts.newest(ledger, open_only=False) == []
        assert len(alerts.anomalies_of(ledger, alert_id)) == 2
        assert alerts.prune_anomalies(ledger, START_S + 1) == 3
        assert alerts.anomalies_of(ledger, alert_id) == []


def test_an_unknown_alert_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "nothing"]) == 5
    assert "no alert 'nothing'" in capsys.readouterr().err
    assert run(["resolve", "nothing", "--reason", "x"]) == 5
