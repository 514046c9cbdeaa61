"""Alerts from open to resolved, by people and by quiet."""

from datetime import timedelta

import pytest

from detectors.finding import Severity
from monitor.errors import NotFoundError
from monitor.jobs import keep_told
from monitor.ledger import (
    audit,
    lifecycle,
)
from monitor.store import Store
from tests.kit.anomalies import NOW
from tests.kit.events import START_S
from tests.kit.incidents import (
    HOUR_S,
    REMIND_S,
    RESPONSE,
    ack,
    alert_of,
    history,
    incident_of,
    kinds,
    odd,
    quiet,
    record,
    resolve,
)


def test_acknowledged_until_it_gets_worse(store: Store) -> None:
    record(store, odd("a", severity=Severity.HIGH))
    alert = alert_of(store, "a")
    assert ack(store, alert.alert_id).incident.state == "acknowledged"  # type: ignore[union-attr]
    assert ack(store, alert.alert_id).changed == []
    record(store, odd("a", "b", severity=Severity.HIGH))
    assert alert_of(store, "a").state == "acknowledged"
    record(store, odd("a", "c", severity=Severity.CRITICAL))
    assert (alert_of(store, "a").state, incident_of(store, "a").state) == ("open", "open")
    assert [k for k in kinds(store) if k != "updated"] == ["opened", "acknowledged", "raised"]
    expected = [("opened", "detector:new_target"), ("acknowledged", "os:ann"),
                ("raised", "detector:new_target")]  # fmt: skip
    assert history(store, "a") == expected
    with store.read() as ledger:
        entry = audit.entries(ledger, 1)[0]
    assert (entry["action"], entry["actor"]) == ("alert acknowledged", "os:ann")
    assert entry["doc"]["reason"] == "mine"


def test_an_incident_is_over_when_all_of_its_alerts_are(store: Store) -> None:
    record(store, odd("a", trace_id="t"), odd("b", trace_id="t"))
    incident = incident_of(store, "a")
    resolve(store, alert_of(store, "a").alert_id)
    assert incident_of(store, "a").state == "open"
    assert "resolved" not in kinds(store)
    done = resolve(store, incident.incident_id[:8], at_s=START_S + 3)
    assert [alert.agent_id for alert in done.changed] == ["b"]
    assert incident_of(store, "a").state == "resolved"
    assert kinds(store)[-1] == "resolved"
    with store.ledger() as ledger, pytest.raises(NotFoundError, match="no alert or incident"):
        lifecycle.find(ledger, "nothing")


def test_a_repeat_reopens_what_quiet_has_closed_and_tells_nobody(store: Store) -> None:
    record(store, odd("a", severity=Severity.HIGH))
    assert quiet(store, START_S + HOUR_S + 1) == 1
    assert kinds(store) == ["opened", "resolved"]
    record(store, odd("a", "b", repeat=True, severity=Severity.HIGH), at_s=START_S + 3 * HOUR_S)
    alert = alert_of(store, "a")
    assert (alert.state, alert.anomaly_count, alert.resolved_by) == ("open", 2, None)
    assert incident_of(store, "a").state == "open"
    assert set(kinds(store)[2:]) == {"updated"}
    assert quiet(store, START_S + 5 * HOUR_S) == 1
    assert kinds(store).count("resolved") == 1, "it ends as it went on"
    assert [what for what, _ in history(store, "a")] == [
        "opened", "resolved", "reopened", "resolved",
    ]  # fmt: skip
    worse = odd("a", "c", repeat=True, severity=Severity.CRITICAL)
    record(store, worse, at_s=START_S + 6 * HOUR_S)
    assert kinds(store)[-1] == "raised"


def test_a_repeat_of_what_a_person_closed_is_another_alert(store: Store) -> None:
    record(store, odd("a"))
    first = alert_of(store, "a").alert_id
    resolve(store, first)
    record(store, odd("a", "b", repeat=True), at_s=START_S + 10)
    assert alert_of(store, "a").alert_id != first
    assert kinds(store).count("opened") == 2


def test_reminders_come_ever_later_until_somebody_looks_after_it(store: Store) -> None:
    record(store, odd("a", severity=Severity.HIGH), odd("low", severity=Severity.MEDIUM))

    def told_by(hours: float) -> int:
        keep_told(store, RESPONSE, REMIND_S, START_S + hours * HOUR_S)
        return kinds(store).count("reminder")

    assert [told_by(h) for h in (3.9, 4, 4.1, 11.9, 12, 12.1, 28)] == [0, 1, 1, 1, 2, 2, 3]
    ack(store, alert_of(store, "a").alert_id)
    assert told_by(1000) == 3


def test_it_is_over_by_quiet_and_said_once(store: Store) -> None:
    record(store, odd("a", trace_id="t"), odd("b", trace_id="t"))
    record(store, odd("c", time=NOW + timedelta(hours=1)), at_s=START_S + HOUR_S)
    assert quiet(store, START_S + HOUR_S + 1) == 2
    assert quiet(store, START_S + HOUR_S + 2) == 0
    assert kinds(store).count("resolved") == 1
    assert incident_of(store, "c").state == "open"
