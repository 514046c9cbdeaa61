"""What has to hold of every order once the chaos is over."""

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from alerting.killswitch import OPEN, AgentState, PointState, is_person
from monitor.audit_journal import ACTION as FROM_JOURNAL
from monitor.ledger import audit, trips
from monitor.ledger.points import MAX_BACKOFF_S
from monitor.ledger.trip import Point, Trip
from monitor.store import schema as tables
from tests.kit.fickle_points import STATES, FicklePoints


def fails_for_good(trip: Trip, point: Point, broken: Sequence[str]) -> bool:
    """Whether a gateway that does nothing for some agents reads failed for this one."""
    is_broken = trip.agent_id in broken and point.point == "gateway"
    return is_broken and point.state == PointState.FAILED


def each_order_is_there(
    ledger: Connection,
    found: Sequence[Trip],
    acked: Sequence[dict[str, Any]],
    answers: Sequence[tuple[int, dict[str, Any]]],
) -> None:
    """Numbered without a gap or a repeat, and each that anybody was told of is durable.

    Parameters
    ----------
    acked
        Orders that clerks knew to be durable.
    answers
        Exit codes and documents of commands.
    """
    entries = audit.entries(ledger, 1_000_000)
    numbers: dict[str, list[int]] = defaultdict(list)
    given_up: set[tuple[str, str, int]] = set()
    for entry in entries:
        doc = entry["doc"]
        if entry["action"] in ("kill ordered", "restore ordered"):
            numbers[entry["subject"]].append(doc["order_seq"])
        elif entry["action"] == "enforcement point given up":
            assert is_person(entry["actor"])
            given_up.add((doc["trip_id"], doc["point"], doc["order_seq"]))
    standings = {row.agent_id: row.order_seq for row in ledger.execute(select(tables.agents))}
    broken_glass = {document["agent_id"] for _, document in answers if "break_glass" in document}
    broken_glass |= {entry["subject"] for entry in entries if entry["action"] == FROM_JOURNAL}
    # What points were told without the store is numbered above, by no entry of the audit.
    assert standings.keys() == numbers.keys()
    for agent, seq in standings.items():
        assert numbers[agent] == sorted(set(numbers[agent]))
        assert numbers[agent][-1] == seq or agent in broken_glass
    assert sum(entry["action"] == "kill ordered" for entry in entries) == len(found)

    by_id = {trip.trip_id: trip for trip in found}
    assert {"kill", "restore"} <= {ack["verb"] for ack in acked}
    for ack in acked:
        trip = by_id[ack["trip"]]
        assert trip.agent_id == ack["agent"]
        assert ack["seq"] in numbers[trip.agent_id]
        if ack["verb"] == "kill" and ack["new"]:
            assert trip.order_seq == ack["seq"]
        elif ack["verb"] == "restore":
            assert trip.restore_ordered_at is not None
        elif ack["verb"] == "give up":
            assert any((trip.trip_id, ack["point"]) == at[:2] for at in given_up)
    for code, document in answers:
        assert code in (0, 3, 4)
        if "break_glass" not in document:
            assert by_id[document["trip_id"]].agent_id == document["agent_id"]
    for trip in found:
        for point in trip.points:
            if point.state == PointState.GIVEN_UP:
                assert (trip.trip_id, point.point, point.order_seq) in given_up


def each_trip_ended(ledger: Connection, found: Sequence[Trip], broken: Sequence[str]) -> None:
    """Contained, partial by a person's word, or visibly failing; nothing open that is not due."""
    told = set(ledger.execute(select(tables.outbox.c.doc)).scalars())
    ends: Counter[str] = Counter()
    now_s = time.time()
    for trip in found:
        states = {point.state for point in trip.points}
        if trip.state is None:  # a later trip of the agent took over
            assert not states & OPEN, trip
            ends["taken over"] += 1
            continue
        for point in trip.points:
            if point.state not in OPEN:
                continue
            assert fails_for_good(trip, point, broken), (trip, point)
            assert point.due_at <= now_s + MAX_BACKOFF_S
            assert point.lease_until <= now_s + MAX_BACKOFF_S
            assert point.last_error
            assert any(trip.trip_id in message and "gateway" in message for message in told)
        turned = trip.restore_ordered_at is not None
        if states & OPEN:
            wanted = {AgentState.RESTORING if turned else AgentState.TRIPPING}
        elif turned:
            wanted = {AgentState.PROBATION, AgentState.ACTIVE}
        elif PointState.GIVEN_UP in states:
            wanted = {AgentState.PARTIAL}
        else:
            assert states == {PointState.CONFIRMED}
            wanted = {AgentState.CONTAINED}
        assert trip.state in wanted, trip
        assert turned or bool(states & OPEN) or trip.held_at is not None
        ends[trip.state] += 1
    print(dict(ends))
    assert {AgentState.CONTAINED, AgentState.PARTIAL, AgentState.TRIPPING} <= ends.keys()
    assert ends[AgentState.ACTIVE] + ends[AgentState.PROBATION]


def each_point_did_what_it_confirmed(
    ledger: Connection, points: FicklePoints, found: Sequence[Trip]
) -> None:
    """What was confirmed took effect, once; what holds at last is the last order."""
    for agent, changes in points.gateway.changes.items():
        assert changes == sorted(set(changes)), agent
    for entry in audit.entries(ledger, 1_000_000):
        direction, _, confirmed = entry["action"].partition(" ")
        point, seq = entry["doc"].get("point"), entry["doc"].get("order_seq")
        if confirmed == "confirmed" and direction in STATES:
            assert points.obeyed(point, entry["subject"])[seq] == {STATES[direction]}, entry
    for trip in found:
        for point in trip.points:
            if trip.state is None or point.state != PointState.CONFIRMED:
                continue
            if point.point == trips.REGISTRY:
                continue
            told = points.obeyed(point.point, trip.agent_id)
            assert max(told) == point.order_seq, (trip, point)
            assert told[point.order_seq] == {STATES[point.direction]}
            if point.point == "gateway":
                assert points.gateway.states.get(trip.agent_id, "active") == STATES[point.direction]
