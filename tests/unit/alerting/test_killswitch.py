import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.killswitch import (
    BLOCKED,
    TRANSITIONS,
    AgentState,
    Cause,
    IllegalTransitionError,
    PointState,
    is_person,
    settle,
    step,
)

STATES = st.sampled_from(AgentState)
CAUSES = st.sampled_from(Cause)
POINTS = st.lists(st.sampled_from(PointState), min_size=1)


@given(STATES, CAUSES)
def test_what_the_table_does_not_name_is_refused(state: AgentState, cause: Cause) -> None:
    if (state, cause) in TRANSITIONS:
        assert step(state, cause) is TRANSITIONS[state, cause]
    else:
        with pytest.raises(IllegalTransitionError, match=state.value):
            step(state, cause)


@given(STATES)
def test_an_agent_is_blocked_or_can_be_killed_never_both(state: AgentState) -> None:
    assert (state in BLOCKED) is not ((state, Cause.KILL_ORDERED) in TRANSITIONS)


@given(STATES, CAUSES)
def test_only_a_restore_order_unblocks(state: AgentState, cause: Cause) -> None:
    after = TRANSITIONS.get((state, cause))
    if state in BLOCKED and after is not None and after not in BLOCKED:
        assert cause is Cause.RESTORE_ORDERED


@given(STATES, CAUSES)
def test_only_a_kill_order_blocks(state: AgentState, cause: Cause) -> None:
    after = TRANSITIONS.get((state, cause))
    if state not in BLOCKED and after in BLOCKED:
        assert cause is Cause.KILL_ORDERED


def test_every_state_can_be_reached_and_every_blocked_one_left() -> None:
    reached = {AgentState.ACTIVE}
    while more := {to for (start, _), to in TRANSITIONS.items() if start in reached} - reached:
        reached |= more
    assert reached == set(AgentState)
    assert all((state, Cause.RESTORE_ORDERED) in TRANSITIONS for state in BLOCKED)


@given(POINTS)
def test_points_settle_only_when_none_is_open(points: list[PointState]) -> None:
    cause = settle(points)
    if cause is Cause.POINTS_CONFIRMED:
        assert set(points) == {PointState.CONFIRMED}
    elif cause is Cause.POINT_GIVEN_UP:
        assert PointState.GIVEN_UP in points
        assert set(points) <= {PointState.CONFIRMED, PointState.GIVEN_UP}
    else:
        assert set(points) & {PointState.PENDING, PointState.FAILED, PointState.SUPERSEDED}


def test_a_rule_is_no_person() -> None:
    assert is_person("os:alice")
    assert not is_person("rule:critical")
    assert not is_person("tripswitch")
