"""Incidents, lifecycle, mutes and storms over a real ledger."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from alerting.killswitch import AgentState
from alerting.message import Message
from alerting.mute import Matcher
from alerting.trip_policy import Guards, Rule
from detectors.finding import Anomaly, Severity
from monitor.errors import NotFoundError, UsageError
from monitor.jobs import end_overdue, keep_told
from monitor.ledger import (
    agents,
    alerts,
    audit,
    changes,
    incidents,
    intake,
    lifecycle,
    mutes,
    trips,
)
from monitor.ledger.response import Response
from monitor.store import Store, schema
from tests.kit.anomalies import NOW, anomaly
from tests.kit.events import START_S

RESPONSE = Response([], Guards(), ["slack"], ["registry"], quiet_s=3600.0)
HOUR_S = 3600.0
REMIND_S = 4 * HOUR_S


def odd(agent: object, name: str = "a", **fields: Any) -> Anomaly:
    values = {
        "agent_id": f"{agent}",
        "role": f"role of {agent}",
        "trace_id": f"run of {agent}",
        "detector": "new_target",
        "calibration": "calibrated",
        "p_value": 1e-4,
    }
    return anomaly(f"{name}-{agent}", **{**values, **fields})


def record(store: Store, *found: Anomaly, at_s: float = START_S, how: Response = RESPONSE) -> int:
    with store.ledger() as ledger:
        return intake.record(ledger, found, how, at_s)


def messages(store: Store) -> list[Message]:
    with store.read() as ledger:
        docs = ledger.execute(select(schema.outbox.c.doc).order_by(schema.outbox.c.seq)).scalars()
        return [Message.model_validate_json(doc) for doc in docs]


def kinds(store: Store) -> list[str]:
    return [message.kind for message in messages(store)]


def alert_of(store: Store, agent_id: str) -> Any:
    with store.read() as ledger:
        return alerts.latest(ledger, [agent_id])[agent_id]


def incident_of(store: Store, agent_id: str) -> Any:
    with store.read() as ledger:
        return incidents.of_alert(ledger, alerts.latest(ledger, [agent_id])[agent_id])


def history(store: Store, agent_id: str) -> list[tuple[str, str]]:
    with store.read() as ledger:
        found = changes.history(ledger, alert_of(store, agent_id).alert_id)
    return [(one.change, one.by) for one in found]


def everything(store: Store) -> dict[str, list[Any]]:
    tables = (
        schema.alerts,
        schema.incidents,
        schema.alert_changes,
        schema.outbox,
        schema.anomalies,
    )
    with store.read() as ledger:
        return {t.name: list(ledger.execute(select(t)).all()) for t in tables}


def quiet(store: Store, at_s: float) -> int:
    with store.ledger() as ledger:
        return alerts.resolve_what_is_quiet(ledger, ["slack"], HOUR_S, at_s)


def ack(store: Store, wanted: str, at_s: float = START_S + 1) -> lifecycle.Changed:
    with store.ledger() as ledger:
        return lifecycle.acknowledge(
            ledger, wanted, by="os:ann", reason="mine", receivers=["slack"], now_s=at_s
        )


def resolve(store: Store, wanted: str, at_s: float = START_S + 2) -> lifecycle.Changed:
    with store.ledger() as ledger:
        return lifecycle.resolve(
            ledger, wanted, by="os:ann", reason="done", receivers=["slack"], now_s=at_s
        )


def mute(store: Store, at_s: float = START_S, lasts_s: float = HOUR_S, **about: Any) -> str:
    with store.ledger() as ledger:
        return mutes.mute(
            ledger, Matcher(**about), reason="work", by="os:ann", now_s=at_s, lasts_s=lasts_s
        ).mute_id


def test_agents_of_one_run_are_one_incident_over_several_transactions(store: Store) -> None:
    record(store, odd("a", trace_id="t" * 1024))
    record(store, odd("b", trace_id="t" * 1024), at_s=START_S + 1000)
    record(store, odd("c"), at_s=START_S + 1000)
    record(store, odd("d", parent_agent_id="b"), at_s=START_S + 1001)
    incident = incident_of(store, "d")
    assert (incident.agents, incident.bond) == (("a", "b", "d"), "trace")
    assert incident_of(store, "c").agents == ("c",)
    told = messages(store)
    assert [m.kind for m in told] == ["opened", "updated", "opened"]
    assert told[1].incident is not None
    assert told[1].incident.agents == ("a", "b", "d"), "the newer update took the place"


def test_the_same_anomalies_again_change_nothing(store: Store) -> None:
    found = [odd(n, trace_id=f"t{n % 3}", severity=Severity(1 + n % 4)) for n in range(12)]
    record(store, *found)
    before = everything(store)
    assert record(store, *found, at_s=START_S + 5) == 0
    assert everything(store) == before


def test_two_processes_at_once_open_one_alert_and_one_incident(store: Store) -> None:
    def one(number: int) -> int:
        found = [odd(n, f"x{number // 2}", trace_id="t") for n in range(5)]
        return record(store, *found)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(one, range(8))) == 20
    with store.read() as ledger:
        assert ledger.scalar(select(func.count()).select_from(schema.alerts)) == 5
        assert ledger.scalar(select(func.count()).select_from(schema.incidents)) == 1
    assert incident_of(store, "0").anomaly_count == 20
    assert kinds(store).count("opened") == 1


def test_a_storm_of_5000_agents_is_one_incident_and_few_messages(store: Store) -> None:
    shared: dict[str, Any] = {"agent_version": "2.0", "tool": "deploy", "severity": Severity.MEDIUM}
    for batch in range(5):
        found = [
            odd(n, **shared, role=f"role-{n % 10}")
            for n in range(batch * 1000, batch * 1000 + 1000)
        ]
        if batch == 2:
            found.insert(500, odd("bad", **{**shared, "severity": Severity.CRITICAL}))
        record(store, *found, at_s=START_S + 10 * batch)
    incident = incident_of(store, "4999")
    assert (incident.agent_count, incident.bond) == (5001, "fleet")
    assert incident.factors[0][:2] in (("version", "2.0"), ("tool", "deploy"))
    assert incident.factors[0][2] > 0.9
    told = messages(store)
    assert len(told) <= 10
    assert next(m.agent_id for m in told if m.severity is Severity.CRITICAL) == "bad"
    keep_told(store, RESPONSE, REMIND_S, START_S + 200)
    last = messages(store)[-1]
    assert last.kind == "updated"
    assert last.incident is not None
    assert last.incident.agent_count == 5001
    with store.read() as ledger:
        assert ledger.scalar(select(func.count()).select_from(schema.incidents)) == 1


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


def test_a_mute_keeps_back_counts_and_lists(store: Store) -> None:
    mute_id = mute(store, agent="pay*", lasts_s=HOUR_S)
    record(store, odd("pay-1", severity=Severity.HIGH), odd("pay-2", severity=Severity.LOW))
    record(store, odd("other"), odd("pay-3", detector="boundary"))
    assert sorted(m.agent_id for m in messages(store)) == ["other", "pay-3"]
    with store.read() as ledger:
        assert {a.agent_id for a in alerts.newest(ledger, open_only=True)} == {"other", "pay-3"}
        assert len(alerts.newest(ledger, open_only=False)) == 4
        assert mutes.get(ledger, mute_id).hidden == 2
        assert alerts.count_muted(ledger) == 2
    assert history(store, "pay-1")[-1] == ("muted", f"mute:{mute_id}")
    assert not end_overdue(store, RESPONSE, START_S + HOUR_S - 1)
    assert end_overdue(store, RESPONSE, START_S + HOUR_S)
    assert not end_overdue(store, RESPONSE, START_S + HOUR_S)
    told = messages(store)[2:]
    assert Counter(m.kind for m in told) == {"mute_ended": 1, "opened": 1}
    (out,) = [m for m in told if m.kind == "opened"]
    assert out.agent_id == "pay-1", "open and high"
    (ended,) = [m for m in told if m.kind == "mute_ended"]
    assert dict(ended.details)["kept back"] == "2 alerts"
    assert any("pay-2" in value for _, value in ended.details)
    assert alert_of(store, "pay-1").muted_by is None


def test_the_next_anomaly_after_a_mute_brings_its_alert_out(store: Store) -> None:
    mute_id = mute(store, role="role of a")
    record(store, odd("a", severity=Severity.LOW))
    with store.ledger() as ledger:
        ended = mutes.unmute(
            ledger, mute_id, reason="done", by="os:ann", receivers=[], now_s=START_S + 1
        )
    assert ended.ended_by == "os:ann"
    assert kinds(store) == []
    record(store, odd("a", "b", severity=Severity.LOW), at_s=START_S + 2)
    assert kinds(store) == ["opened"]


def test_a_mute_needs_a_person_a_reason_and_something_to_be_about(store: Store) -> None:
    good: dict[str, Any] = {"reason": "r", "by": "os:ann", "now_s": START_S, "lasts_s": 1.0}
    for matcher, changed in (
        (Matcher(), {}),
        (Matcher(agent="a"), {"by": "rule:x"}),
        (Matcher(agent="a"), {"reason": " "}),
    ):
        with store.ledger() as ledger, pytest.raises(UsageError):
            mutes.mute(ledger, matcher, **{**good, **changed})


def test_what_a_contained_agent_does_is_explained_by_its_trip(store: Store) -> None:
    rule = Rule("cut", mode="enforce", severity=Severity.CRITICAL)
    how = Response([rule], Guards(), ["slack"], ["registry"], 3600.0)
    record(store, odd("a", severity=Severity.CRITICAL), how=how)
    with store.read() as ledger:
        assert agents.state_of(ledger, "a") is AgentState.CONTAINED
        (trip,) = trips.list_trips(ledger)
    told = messages(store)
    assert {m.incident.incident_id for m in told if m.incident} == {
        incident_of(store, "a").incident_id
    }
    assert all(m.incident is not None for m in told), "the trip is told in the same thread"
    resolve(store, alert_of(store, "a").alert_id)
    count = len(messages(store))
    record(store, odd("a", "after", severity=Severity.HIGH), at_s=START_S + 5)
    assert len(messages(store)) == count
    assert alert_of(store, "a").inhibited_by == f"trip {trip.trip_id} has cut the agent off"
    assert history(store, "a")[-1][0] == "inhibited"
    breach = odd("a", "breach", detector="containment", calibration="declared")
    record(store, breach, at_s=START_S + 6)
    assert messages(store)[-1].kind == "opened"


def test_a_muted_anomaly_still_cuts_its_agent_off(store: Store) -> None:
    mute(store, agent="a")
    rule = Rule("cut", mode="enforce", severity=Severity.CRITICAL)
    how = Response([rule], Guards(), ["slack"], ["registry"], 3600.0)
    record(store, odd("a", severity=Severity.CRITICAL), how=how)
    with store.read() as ledger:
        assert agents.state_of(ledger, "a") is AgentState.CONTAINED
    assert {"trip_ordered", "trip_contained"} <= set(kinds(store))


def test_what_is_pruned_leaves_nothing_behind(store: Store) -> None:
    record(store, odd("a"), odd("b"))
    resolve(store, alert_of(store, "a").alert_id)
    with store.ledger() as ledger:
        alerts.prune(ledger, anomalies_before_s=START_S + 1, alerts_before_s=START_S + 1)
    left = everything(store)
    assert [len(left[t]) for t in ("alerts", "incidents", "alert_changes")] == [1, 1, 1]


def test_it_is_over_by_quiet_and_said_once(store: Store) -> None:
    record(store, odd("a", trace_id="t"), odd("b", trace_id="t"))
    record(store, odd("c", time=NOW + timedelta(hours=1)), at_s=START_S + HOUR_S)
    assert quiet(store, START_S + HOUR_S + 1) == 2
    assert quiet(store, START_S + HOUR_S + 2) == 0
    assert kinds(store).count("resolved") == 1
    assert incident_of(store, "c").state == "open"
