"""Who may do what in Slack."""

import time

import pytest

from alerting.killswitch import AgentState
from monitor.ledger import (
    mutes,
)
from monitor.store import Store
from tests.kit.slack_room import ANN, BOB, EVE, GROUP, Room
from tests.kit.slack_server import Answer, SlackServer
from tests.kit.waiting import until


@pytest.mark.parametrize("verb", ["kill"])
def test_who_may_not_is_told_and_audited(room: Room, verb: str) -> None:
    room.alarm("payroll-7")
    room.people.press(verb, EVE)
    assert "slack.may_kill" in room.told(EVE)
    assert room.slack.views == []
    (entry,) = room.audited("slack refused")
    assert entry["actor"] == f"slack:{EVE}"
    assert entry["doc"]["verb"] == verb


def test_a_modal_that_somebody_else_sends_is_refused(room: Room) -> None:
    """Asked again when it is sent: who may not opened no modal, or lost the right meanwhile."""
    room.alarm("payroll-7")
    room.people.press("kill", ANN)
    until(lambda: room.slack.views)
    room.people.submit(room.slack.views[0], EVE, "because")
    assert "not allowed" in room.told(EVE)
    assert room.state_of("payroll-7") == AgentState.ACTIVE
    assert len(room.audited("slack refused")) == 1


def test_members_of_a_group_may_and_if_slack_does_not_say_they_may_not(room: Room) -> None:
    room.alarm("payroll-7")
    room.slack.fault = lambda p: Answer(500) if p.method == "usergroups.users.list" else None
    room.people.press("kill", BOB)
    assert "cannot be checked" in room.told(BOB)
    assert room.slack.views == []
    room.slack.fault = lambda _: None
    room.slack.groups[GROUP] = [BOB]
    room.people.press("kill", BOB)
    until(lambda: room.slack.views)


def test_nobody_may_kill_unless_listed_and_strangers_may_nothing(
    store: Store, slack: SlackServer
) -> None:
    room = Room(store, slack, may_kill=())
    room.open()
    try:
        room.alarm("payroll-7")
        room.people.press("kill", ANN)
        assert "nobody is listed" in room.told(ANN)
        room.people.press("acknowledge", EVE, team="T0OTHERS")
        assert "another workspace" in room.told(EVE)
        assert room.audited("alert acknowledged") == []
    finally:
        room.close()


def test_where_some_may_act_others_may_not(store: Store, slack: SlackServer) -> None:
    room = Room(store, slack, may_act=(BOB,))
    room.open()
    try:
        room.alarm("payroll-7")
        room.people.press("mute", EVE)
        assert "slack.may_act" in room.told(EVE)
        room.people.press("mute", BOB)
        assert "muted for an hour" in room.told(BOB)
        room.people.press("mute", ANN)  # who may kill may the rest, too
        assert "muted for an hour" in room.told(ANN)
        with room.store.read() as ledger:
            (mute,) = mutes.newest(ledger, now_s=time.time())
        assert mute.muted_by == f"slack:{BOB}"
        assert 3500 < mute.until - mute.since <= 3600
    finally:
        room.close()
