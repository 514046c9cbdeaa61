"""Incidents and storms over a real ledger."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import func, select

from alerting.killswitch import AgentState
from alerting.trip_policy import Guards, Rule
from detectors.finding import Severity
from monitor.jobs import keep_told
from monitor.ledger import (
    agents,
    alerts,
    trips,
)
from monitor.ledger.response import Response
from monitor.store import Store, schema
from tests.kit.events import START_S
from tests.kit.incidents import (
    REMIND_S,
    RESPONSE,
    alert_of,
    everything,
    history,
    incident_of,
    kinds,
    messages,
    odd,
    record,
    resolve,
)


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


def test_what_is_pruned_leaves_nothing_behind(store: Store) -> None:
    record(store, odd("a"), odd("b"))
    resolve(store, alert_of(store, "a").alert_id)
    with store.ledger() as ledger:
        alerts.prune(ledger, START_S + 1)
    left = everything(store)
    assert [len(left[t]) for t in ("alerts", "incidents", "alert_changes")] == [1, 1, 1]
