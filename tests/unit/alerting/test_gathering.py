"""Which alerts are one story: pure, by examples and by any order of what may happen."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from alerting.alert import Alert
from alerting.cap import capped
from alerting.gathering import Gathering
from alerting.incident import MAX_CRITICAL_MESSAGES, MAX_NAMED, Incident, IncidentNews
from alerting.policy import Hidden, fold
from detectors.finding import Anomaly, Severity
from tests.kit.anomalies import NOW, anomaly

QUIET_S, TOGETHER_S = 3600.0, 300.0


class Fleet:
    """Folds and gathers as the ledger's desk does, with nothing but memory."""

    def __init__(self, storm_agents: int = 50, per_week: float | None = None) -> None:
        self.gathering = Gathering(TOGETHER_S, storm_agents, quiet_s=QUIET_S)
        self.alerts: dict[str, Alert] = {}
        self.current: dict[str, str] = {}
        self.per_week = per_week
        self.charged = 0

    def take(
        self, one: Anomaly, now: datetime = NOW, hidden: Hidden | None = None
    ) -> IncidentNews | None:
        current = self.alerts.get(self.current.get(one.agent_id, ""))
        folded = fold(
            current if current is not None and current.is_open else None,
            one,
            now,
            QUIET_S,
            former=current,
            hidden=hidden,
        )
        folded = self.gathering.place(folded, one, now)
        told = self.gathering.is_told(folded.alert)
        folded = capped(folded, one, self.per_week, lambda: self.charged, joins=told)
        self.charged += folded.news == "opened" and folded.alert.charge == "charged"
        for alert in (folded.closed, folded.alert):
            if alert is not None:
                self.alerts[alert.alert_id] = alert
        self.current[one.agent_id] = folded.alert.alert_id
        return self.gathering.take(folded, one)

    def incident(self, agent_id: str) -> Incident:
        return self.gathering.incidents[self.alerts[self.current[agent_id]].incident_id]


def odd(agent: object, **fields: Any) -> Anomaly:
    """An anomaly of an agent that has nothing in common with any other."""
    values = {
        "agent_id": f"{agent}",
        "role": f"role of {agent}",
        "trace_id": f"run of {agent}",
        "calibration": "calibrated",
        "p_value": 1e-4,
        "severity": Severity.MEDIUM,
    }
    name = fields.pop("name", f"{agent}-{len(fields)}")
    return anomaly(f"{name}", **{**values, **fields})


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_one_run_is_one_incident_however_late() -> None:
    fleet = Fleet()
    assert fleet.take(odd("a", trace_id="t")) == "opened"
    assert fleet.take(odd("b", trace_id="t"), later(3000)) == "updated"
    incident = fleet.incident("b")
    assert (incident.agents, incident.bond, incident.common) == (("a", "b"), "trace", "t")
    assert fleet.take(odd("c", trace_id="t"), later(3000 + QUIET_S + 1)) == "opened"


def test_a_later_run_of_an_agent_leads_to_its_incident() -> None:
    fleet = Fleet()
    fleet.take(odd("a"))
    fleet.take(odd("a", name="again", trace_id="t2"), later(900))
    fleet.take(odd("b", trace_id="t2"), later(901))
    assert fleet.incident("b") == fleet.incident("a")


def test_a_chain_of_delegation_is_one_incident_from_either_end() -> None:
    fleet = Fleet()
    fleet.take(odd("boss"))
    fleet.take(odd("worker", parent_agent_id="boss"), later(1000))
    fleet.take(odd("helper", parent_agent_id="worker"), later(2000))
    assert fleet.incident("helper").agents == ("boss", "worker", "helper")
    assert fleet.incident("helper").bond == "delegation"
    other = Fleet()
    other.take(odd("worker", parent_agent_id="boss"))
    other.take(odd("boss"), later(1000))
    assert other.incident("boss").agents == ("worker", "boss")
    other.take(odd("late", parent_agent_id="nobody"), later(1001))
    other.take(odd("later", parent_agent_id="nobody"), later(1002))
    assert other.incident("later").agents == ("late", "later")


def test_a_version_of_a_role_is_one_incident_within_minutes_only() -> None:
    fleet = Fleet()
    shared = {"role": "payroll", "agent_version": "2.0"}
    assert fleet.take(odd("a", **shared)) == "opened"
    assert fleet.take(odd("b", **shared), later(TOGETHER_S)) == "updated"
    assert (fleet.incident("b").bond, fleet.incident("b").common) == ("version", "2.0")
    assert fleet.take(odd("c", **shared), later(2 * TOGETHER_S + 1)) == "opened"


def test_a_role_alone_takes_three() -> None:
    fleet = Fleet()
    news = [fleet.take(odd(n, role="crawler"), later(n)) for n in range(4)]
    assert news == ["opened", "opened", "updated", "updated"]
    assert fleet.incident("3") == fleet.incident("2")
    assert (fleet.incident("2").bond, fleet.incident("2").common) == ("role", "crawler")
    assert Fleet().take(odd("nobody's", role=None)) == "opened"


def test_a_storm_becomes_one_incident_of_the_fleet() -> None:
    fleet = Fleet(storm_agents=10)
    shared = {"agent_version": "2.0", "role": "payroll", "tool": "deploy"}
    news = [fleet.take(odd(n, **shared), later(n / 100)) for n in range(500)]
    assert [one for one in news if one != "updated"] == ["opened", "storm"]
    incident = fleet.incident("499")
    assert (incident.bond, incident.agent_count) == ("fleet", 500)
    assert len(incident.agents) == MAX_NAMED
    assert ("version", "2.0", 1.0) in incident.factors
    assert ("tool", "deploy", 1.0) in incident.factors
    assert "version 2.0 (100%)" in incident.sentence
    assert fleet.take(odd("x"), later(5 + TOGETHER_S)) == "opened", "the storm is over"


def test_a_storm_that_is_foreseen_begins_as_one() -> None:
    fleet = Fleet(storm_agents=10)
    fleet.gathering = Gathering(TOGETHER_S, 10, expected=30)
    news = [fleet.take(odd(n)) for n in range(30)]
    assert news == ["opened"] + ["updated"] * 29
    assert fleet.incident("0").bond == "fleet"


def test_criticals_in_a_storm_are_told_one_by_one_up_to_a_bound() -> None:
    fleet = Fleet(storm_agents=5)
    for n in range(20):
        fleet.take(odd(n))
    news = [fleet.take(odd(f"c{n}", severity=Severity.CRITICAL)) for n in range(20)]
    assert news[0] == "raised"
    assert news.count("critical") == MAX_CRITICAL_MESSAGES - 1
    assert news.count("updated") == 20 - MAX_CRITICAL_MESSAGES


def test_what_joins_a_told_incident_costs_nothing_of_the_cap() -> None:
    fleet = Fleet(storm_agents=5, per_week=3)
    for n in range(100):
        fleet.take(odd(n, role="r", agent_version="1"))
    assert fleet.charged == 1
    assert fleet.take(odd("x"), later(900)) == "opened"


def test_hidden_ones_join_nobody_and_are_not_told() -> None:
    fleet = Fleet()
    fleet.take(odd("a", trace_id="t"))
    assert fleet.take(odd("b", trace_id="t"), hidden=Hidden(muted_by="m1")) is None
    assert fleet.incident("a").agents == ("a",)
    assert fleet.take(odd("b", trace_id="t", name="more")) == "opened", "it comes out"


AGENTS = st.sampled_from(["a", "b", "c", "d", "e", "f"])
STEPS = st.tuples(
    AGENTS,
    st.sampled_from([None, "t1", "t2"]),
    st.sampled_from([None, "r1", "r2"]),
    st.sampled_from([None, "1"]),
    st.one_of(st.none(), AGENTS),
    st.sampled_from(Severity),
    st.booleans(),
    st.sampled_from([None, None, None, Hidden(muted_by="m"), Hidden(inhibited_by="trip")]),
    st.integers(0, 4000),
)


@given(st.lists(STEPS, max_size=40), st.integers(2, 5), st.sampled_from([None, 1, 3]))
def test_whatever_happens_each_alert_has_one_incident_and_severity_only_rises(
    steps: list[Any], storm_agents: int, per_week: float | None
) -> None:
    fleet, now = Fleet(storm_agents, per_week), NOW
    incident_of: dict[str, str] = {}
    severity_of: dict[str, Severity] = {}
    count = 0
    for number, step in enumerate(steps):
        agent, trace, role, version, parent, severity, repeat, hidden, wait_s = step
        now += timedelta(seconds=wait_s)
        one = anomaly(
            f"a{number}", agent_id=agent, trace_id=trace, role=role, agent_version=version,
            parent_agent_id=parent, severity=severity, repeat=repeat, calibration="calibrated",
        )  # fmt: skip
        before = {i: one.severity for i, one in fleet.gathering.incidents.items()}
        told = {i for i, one in fleet.gathering.incidents.items() if one.is_told}
        news = fleet.take(one, now, hidden)
        count += 1
        for alert in fleet.alerts.values():
            assert incident_of.setdefault(alert.alert_id, alert.incident_id) == alert.incident_id
            assert alert.severity >= severity_of.get(alert.alert_id, Severity.LOW)
            severity_of[alert.alert_id] = alert.severity
        open_agents = [alert.agent_id for alert in fleet.alerts.values() if alert.is_open]
        assert len(open_agents) == len(set(open_agents)), "one open alert per agent"
        for incident_id, incident in fleet.gathering.incidents.items():
            assert incident.severity >= before.get(incident_id, Severity.LOW)
            assert incident.agent_count >= len(incident.agents)
        mine = fleet.incident(agent)
        if hidden is not None:
            assert news is None
        if news == "opened":
            assert mine.incident_id not in told
        elif news is not None:
            assert mine.incident_id in told
        if news == "raised":
            assert mine.severity > before[mine.incident_id]
    assert sum(one.anomaly_count for one in fleet.gathering.incidents.values()) == count
    assert sum(one.anomaly_count for one in fleet.alerts.values()) == count
