"""Automatic trips over a real ledger: modes, guards and their evidence."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from alerting.killswitch import AgentState
from alerting.trip_policy import Rule
from detectors.finding import Severity
from monitor.ledger import (
    trip_guards,
    trips,
)
from monitor.store import Store
from tests.kit.anomalies import NOW, anomaly
from tests.kit.autotrip import (
    AGENT,
    ENFORCE,
    asking,
    audited,
    pause,
    response,
    state,
    take_in,
    told,
    waiting,
)
from tests.kit.events import START_S


def test_enforce_trips_at_once_with_its_evidence_and_times(store: Store) -> None:
    seen = anomaly(time=NOW - timedelta(seconds=3))
    take_in(store, response(), seen, read_at_s=START_S - 1)
    with store.read() as ledger:
        (trip,) = trips.list_trips(ledger)
    assert (trip.automatic, trip.ordered_by, trip.state) == (True, "rule:cut", "contained")
    assert trip.anomaly_id == seen.anomaly_id
    assert (trip.anomaly_to_read_s, trip.anomaly_to_order_s) == (2.0, 3.0)


def test_an_agent_that_is_cut_off_already_is_not_asked_about_or_held(store: Store) -> None:
    take_in(store, response(), anomaly("a1"))
    observe = Rule("look", severity=Severity.HIGH)
    for number, how in enumerate((response(max_per_hour=0), asking(), response(observe))):
        take_in(store, how, anomaly(f"b{number}"))
    assert not waiting(store)
    assert not [m for kind in ("trip_held", "trip_asked", "would_trip") for m in told(store, kind)]


def test_evidence_from_before_a_restore_does_not_trip_again(store: Store) -> None:
    take_in(store, response(), anomaly("a1"))
    with store.ledger() as ledger:
        trips.order_restore(
            ledger, agent_id=AGENT, reason="r", ordered_by="os:a", now_s=START_S + 10,
            probation_s=60.0, receivers=(),
        )  # fmt: skip
    late = anomaly("a2", time=NOW + timedelta(seconds=9))
    take_in(store, response(), late, at_s=START_S + 20)
    assert state(store) is AgentState.PROBATION
    assert "restored the agent after" in told(store, "trip_held")[0].headline
    anew = anomaly("a3", time=NOW + timedelta(seconds=11))
    take_in(store, response(), anew, at_s=START_S + 20)
    assert state(store) is AgentState.CONTAINED


def test_what_a_guard_held_is_told_once_per_alert_rule_and_guard(store: Store) -> None:
    for number in range(3):
        take_in(store, response(max_per_hour=0), anomaly(f"a{number}"))
    take_in(store, response(protected_agents=("pay*",)), anomaly("b"))
    other = replace(ENFORCE, name="other")
    take_in(store, response(other, max_per_hour=0), anomaly("c"))
    held = [message.headline for message in told(store, "trip_held")]
    assert len(held) == len(audited(store, "automatic trip held back")) == 3
    assert "cap" in held[0]
    assert "protected" in held[1]
    assert "rule other" in held[2]


def test_the_cap_holds_for_all_processes_on_one_store(store: Store) -> None:
    def one(number: int) -> None:
        seen = anomaly(f"a{number}", agent_id=f"agent-{number}")
        take_in(store, response(max_per_hour=3), seen)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(one, range(12)))
    with store.read() as ledger:
        assert trips.automatic_since(ledger, START_S - trip_guards.HOUR_S) == 3
    assert len(told(store, "trip_held")) == 9


def test_a_person_cuts_off_whatever_is_paused_or_protected(store: Store) -> None:
    pause(store)
    with store.ledger() as ledger:
        trip = trips.order_kill(
            ledger, agent_id=AGENT, reason="r", ordered_by="os:a", automatic=False,
            now_s=START_S, points=(), receivers=(),
        )  # fmt: skip
    assert trip.state is AgentState.CONTAINED
