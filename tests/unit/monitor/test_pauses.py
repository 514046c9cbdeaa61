"""Times without automatic trips."""

from typing import Any

import pytest

from alerting.killswitch import AgentState
from monitor.errors import NotFoundError, UsageError
from monitor.jobs import end_overdue
from monitor.ledger import (
    pauses,
)
from monitor.store import Store
from tests.kit.anomalies import anomaly
from tests.kit.autotrip import AGENT, audited, pause, response, resume, state, take_in, told
from tests.kit.events import START_S


def test_a_pause_holds_every_automatic_trip_and_says_what_it_held(store: Store) -> None:
    pause(store)
    take_in(store, response(), anomaly("a1"), anomaly("a2"))
    take_in(store, response(), anomaly("b1", agent_id="other"))
    assert state(store) is AgentState.ACTIVE
    assert [m.agent_id for m in told(store, "trip_held")] == [AGENT, "other"]
    assert "paused until" in told(store, "trip_held")[0].headline
    ended = resume(store, START_S + 30)
    assert (ended.held, ended.ended_by) == (2, "os:bob")
    begun, over = told(store, "autotrip")
    assert "release" in begun.headline
    assert dict(over.details)["held back meanwhile"] == "2 trips"
    assert len(audited(store, "automatic trips paused")) == 1
    assert audited(store, "automatic trips resumed")[0]["doc"]["held"] == 2
    take_in(store, response(), anomaly("a3"), at_s=START_S + 40)
    assert state(store) is AgentState.CONTAINED


def test_a_pause_ends_by_itself_and_that_is_told_once(store: Store) -> None:
    pause(store, lasts_s=60.0, at_s=START_S)
    assert not end_overdue(store, response(), START_S + 59)
    with store.read() as ledger:
        assert pauses.current(ledger, START_S + 60) is None
    take_in(store, response(), anomaly(), at_s=START_S + 60)
    assert state(store) is AgentState.CONTAINED, "before anybody has noted its end"
    assert end_overdue(store, response(), START_S + 61)
    assert not end_overdue(store, response(), START_S + 62)
    (ended,) = audited(store, "automatic trips resumed")
    assert (ended["actor"], ended["doc"]["ended_at"]) == ("tripswitch", START_S + 60)
    assert len(told(store, "autotrip")) == 2


def test_a_later_pause_takes_the_place_of_the_one_that_is_on(store: Store) -> None:
    pause(store, lasts_s=60.0, at_s=START_S)
    pause(store, lasts_s=600.0, at_s=START_S + 1, reason="it takes longer")
    with store.read() as ledger:
        on = pauses.current(ledger, START_S + 100)
    assert on is not None
    assert on.reason == "it takes longer"
    assert resume(store, START_S + 100).pause_id == on.pause_id


@pytest.mark.parametrize("changes", [{"by": "rule:x"}, {"reason": " "}])
def test_only_a_person_with_a_reason_pauses(store: Store, changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        pause(store, **changes)


def test_without_a_pause_there_is_nothing_to_resume(store: Store) -> None:
    with pytest.raises(NotFoundError, match="not paused"):
        resume(store, START_S)
