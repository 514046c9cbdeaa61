import json
import re
from collections.abc import Iterator

import pytest

from alerting.trip_policy import Guards, Rule
from detectors.finding import Severity
from monitor.cli.app import run
from monitor.config import StoreConfig
from monitor.ledger import alerts, intake
from monitor.ledger.response import Response
from monitor.store import Store
from tests.kit.anomalies import anomaly
from tests.kit.events import START_S
from tests.kit.messages import HOSTILE, UNSAFE

RULES = [Rule("cut", mode="enforce", severity=Severity.CRITICAL)]
RESPONSE = Response(RULES, Guards(max_event_age_s=1e9), ["slack"], ["registry"], quiet_s=3600.0)


@pytest.fixture
def default_store() -> Iterator[Store]:
    store = Store.open(StoreConfig())
    yield store
    store.close()


def record(store: Store, *found: object) -> str:
    with store.ledger() as ledger:
        intake.record(ledger, found, RESPONSE, START_S)  # type: ignore[arg-type]
        (alert, *_) = alerts.newest(ledger, open_only=False)
    return alert.alert_id


def explain(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["explain", *arguments]) == 0
    return capsys.readouterr().out


def test_the_whole_story_is_told(default_store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    spike = anomaly(
        "a1",
        detector="rate_spike",
        calibration="calibrated",
        p_value=1 / 1300,
        observed=340.0,
        expected=12.0,
        threshold=60.0,
        unit="calls per minute",
        history=(12.0, 14.0, 12.0, 11.0, 340.0),
        evidence=("in nine minutes of ten it makes up to 15",),
        held="window",
    )
    breach = anomaly("b1", severity=Severity.CRITICAL, offset=8)
    alert_id = record(default_store, spike, breach)
    told = explain(capsys, alert_id)
    for words in (
        "observed +340 calls per minute",
        "expected +12 calls per minute",
        "would not have fired +up to 60 calls per minute",
        "by chance +about one in 1,300 hours",
        "history +▁▁▁▁█",
        "seen +in nine minutes of ten it makes up to 15",
        "not learned +how much there was of it .calls per minute.: waits in quarantine",
        "evidence +log, partition 0, offset 8, event e-b1",
        "opened .high. to slack: pending",
        "rule:cut cut the agent off, trip",
        f"tripswitch kill payroll-1 --reason 'alert {alert_id}'",
        f"tripswitch restore payroll-1 --reason 'alert {alert_id}'",
        f"tripswitch resolve {alert_id} --reason",
        "tripswitch alerts --all --agent=payroll-1",
    ):
        assert re.search(words, told), words
    assert told.index("rate_spike") < told.index("boundary")


def test_as_json_it_is_one_object(default_store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    alert_id = record(default_store, anomaly("a1"), anomaly("a2", history=(1.0, 9.0)))
    story = json.loads(explain(capsys, alert_id, "--json", "--limit", "1"))
    assert story["alert_id"] == alert_id
    assert story["anomalies_left_out"] == 1
    (one,) = story["anomalies"]
    assert one["would_not_have_fired"] == "none of it"
    assert one["by_chance"] == "a fixed rule: nothing of it is by chance"
    assert one["not_learned"] is None
    assert one["plot"] == ""
    assert story["told"][0]["receiver"] == "slack"
    assert story["trips"] == []
    assert {step["command"].split()[1] for step in story["next"]} >= {"kill", "resolve"}


def test_an_alert_an_anomaly_and_the_beginning_of_either_are_taken(
    default_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    alert_id = record(default_store, anomaly("xyz1"), anomaly("xyz22"))
    whole = explain(capsys, alert_id)
    assert explain(capsys, alert_id[:6]) == whole
    alone = explain(capsys, "xyz2")
    assert "e-xyz22" in alone
    assert "e-xyz1" not in alone
    assert explain(capsys, "xyz22") == alone
    assert run(["explain", "xyz"]) == 2
    assert "several ids begin with 'xyz'" in capsys.readouterr().err
    for nothing in ("", "%", "_", "\x1b", "nothing"):
        assert run(["explain", nothing]) == 5
        assert "\x1b" not in capsys.readouterr().err


def test_an_anomaly_in_shadow_has_no_alert(
    default_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    record(default_store, anomaly("open"), anomaly("dark", shadow=True))
    told = explain(capsys, "dark")
    assert "without an alert" in told
    assert "shadow: recorded only" in told
    assert "tripswitch kill payroll-1 --reason 'anomaly dark'" in told
    assert json.loads(explain(capsys, "dark", "--json"))["alert_id"] is None


@pytest.mark.parametrize(
    "text", [text for text in HOSTILE if not re.search("[\x00\ud800]", text)], ids=lambda t: t[:9]
)
def test_no_text_of_an_event_does_harm(
    default_store: Store, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    odd = anomaly(
        "a1", text=text, unit=text, tool=text, target=text, event_id=text, trace_id=text,
        evidence=(text,) * 3, source=text, held="run", agent_id=text[:300] or "-", role=text,
    )  # fmt: skip
    told = explain(capsys, record(default_store, odd))
    assert not UNSAFE.search(told.replace("\n", ""))
    assert max(map(len, told.splitlines())) < 2500
