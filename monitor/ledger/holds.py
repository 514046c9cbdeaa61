"""Orders about a role or about every agent: carried out, extended and lifted.

The hold's row is the intent: durable before the first agent is cut off. Its members are the
work that is left, done in bounded transactions by whoever comes by (the command that was
confirmed, or the daemon), so a crash anywhere leaves nothing that is not taken up again. The
registry refuses a member from the moment it is one, and under a hold about all, everybody.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, insert, select, update

from alerting.killswitch import BLOCKED, is_person
from alerting.message import MessageKind
from alerting.render import quote_agent
from alerting.trip_messages import trip_message
from monitor.errors import UsageError
from monitor.ledger import agents, audit, hold, outbox, trips
from monitor.ledger.approvals import SECOND_PERSON, Approval
from monitor.ledger.hold import Hold
from monitor.store.schema import hold_members, holds
from monitor.store.schema import trips as trips_table
from monitor.store.sql import insert_missing, storable

BATCH: Final = 50
"""So many agents are cut off or given back in one transaction: a kill never waits long for it."""


def carry_out(
    connection: Connection, approval: Approval, *, receivers: Sequence[str], now_s: float
) -> Hold:
    """Put a hold on that two persons want; the one that is on already, if there is one.

    Parameters
    ----------
    approval
        Approved, of kind `kill_role` or `kill_all`.
    receivers
        Who is told, once for all agents.

    Raises
    ------
    UsageError
        If the approval is of another kind, or is not approved.
    """
    if approval.kind not in SECOND_PERSON or approval.state != "approved":
        raise UsageError(
            f"approval {approval.approval_id} is a {approval.kind} that is {approval.state}: "
            "no order about many agents follows from it"
        )
    audit.lock(connection)
    role = approval.subject if approval.kind == "kill_role" else None
    if (known := hold.on(connection, role)) is not None:
        return known
    connection.execute(
        insert(holds).values(
            hold_id=approval.approval_id,
            role=role,
            reason=approval.reason,
            ordered_by=approval.asked_by,
            confirmed_by=approval.decided_by,
            ordered_at=now_s,
        )
    )
    ordered = hold.get(connection, approval.approval_id)
    audit.append(
        connection,
        at_s=now_s,
        actor=approval.asked_by,
        action="hold ordered",
        subject=ordered.about,
        doc={"hold_id": ordered.hold_id},
        text={"reason": ordered.reason, "confirmed by": ordered.confirmed_by},
    )
    headline = f"are being cut off, until the hold is lifted: {ordered.reason}"
    _tell(connection, ordered, "trip_ordered", headline, receivers, now_s)
    return ordered


def enrol(connection: Connection, hold_id: str, agent_ids: Sequence[str]) -> int:
    """Make agents members of a hold that is on; returns how many were not."""
    audit.lock(connection)  # so that no hold is lifted meanwhile
    if not agent_ids or hold.get(connection, hold_id).lifted_at is not None:
        return 0
    rows = [{"hold_id": hold_id, "agent_id": agent_id} for agent_id in agent_ids]
    return insert_missing(connection, hold_members, rows)


def cut_off(
    connection: Connection,
    hold_id: str,
    *,
    points: Sequence[str],
    receivers: Sequence[str],
    now_s: float,
    limit: int = BATCH,
) -> int:
    """Order the trips of some members that have none yet; returns how many members were seen to.

    A member that is cut off already keeps its trip, which lifting the hold then leaves alone.
    """
    audit.lock(connection)
    now = hold.get(connection, hold_id)
    if now.lifted_at is not None:
        return 0
    waiting = _members(hold_id).where(hold_members.c.trip_id.is_(None)).limit(limit)
    agent_ids = connection.execute(waiting).scalars().all()
    for agent_id in agent_ids:
        trip = trips.order_kill(
            connection,
            agent_id=agent_id,
            reason=now.reason,
            ordered_by=now.ordered_by,
            automatic=False,
            now_s=now_s,
            points=points,
            receivers=receivers,
            hold_id=hold_id,
        )
        _mark(connection, hold_id, agent_id, trip_id=trip.trip_id)
    return len(agent_ids)


def lift(
    connection: Connection,
    *,
    role: str | None,
    reason: str,
    by: str,
    probation_s: float,
    receivers: Sequence[str],
    now_s: float,
) -> Hold:
    """End the hold about a role or about every agent: one person's order, with a reason.

    Raises
    ------
    UsageError
        If no person orders it, or without a reason.
    NotFoundError
        If no such hold is on.
    """
    if not is_person(by):
        raise UsageError(f"only a person lifts a hold, not {by!r:.100}")
    if not reason.strip():
        raise UsageError("lifting a hold needs a reason")
    audit.lock(connection)
    now = hold.require(connection, role)
    values = {
        "lifted_at": now_s,
        "lifted_by": storable(by),
        "lifted_reason": storable(reason),
        "probation_s": probation_s,
    }
    connection.execute(update(holds).where(holds.c.hold_id == now.hold_id).values(values))
    audit.append(
        connection,
        at_s=now_s,
        actor=by,
        action="hold lifted",
        subject=now.about,
        doc={"hold_id": now.hold_id, "probation_s": probation_s},
        text={"reason": storable(reason)},
    )
    headline = f"are given back, the hold is lifted: {storable(reason)}"
    _tell(connection, now, "restored", headline, receivers, now_s)
    return hold.get(connection, now.hold_id)


def give_back(
    connection: Connection,
    hold_id: str,
    *,
    receivers: Sequence[str],
    now_s: float,
    limit: int = BATCH,
) -> int:
    """Restore some members of a lifted hold that are still cut off by it; returns how many.

    One that another hold is about, too, stays cut off, and that hold's from now on.
    """
    audit.lock(connection)
    now = hold.get(connection, hold_id)
    if now.lifted_at is None:
        return 0
    agent_ids = connection.execute(_members(hold_id).limit(limit)).scalars().all()
    for agent_id in agent_ids:
        standing = agents.lock(connection, agent_id, now_s)
        if standing.trip_id is not None and standing.state in BLOCKED:
            _end_trip(connection, now, agent_id, standing.trip_id, receivers, now_s)
        _mark(connection, hold_id, agent_id, released_at=now_s)
    return len(agent_ids)


def _end_trip(
    connection: Connection,
    lifted: Hold,
    agent_id: str,
    trip_id: str,
    receivers: Sequence[str],
    now_s: float,
) -> None:
    """Restore an agent from a lifted hold's trip, or leave the trip to another hold."""
    if trips.get(connection, trip_id).hold_id != lifted.hold_id:
        return  # cut off for a reason of its own
    other = connection.execute(hold.covering(agent_id)).scalars().first()
    if other is not None:
        its_trip = trips_table.c.trip_id == trip_id
        connection.execute(update(trips_table).where(its_trip).values(hold_id=other))
        return
    trips.order_restore(
        connection,
        agent_id=agent_id,
        reason=lifted.lifted_reason or "the hold is lifted",
        ordered_by=lifted.lifted_by or lifted.ordered_by,
        now_s=now_s,
        probation_s=lifted.probation_s or 0.0,
        receivers=receivers,
    )


def _members(hold_id: str) -> Select[Any]:
    """Those that were not given back, in order."""
    member = hold_members.c
    query = select(member.agent_id).where(member.hold_id == hold_id, member.released_at.is_(None))
    return query.order_by(member.agent_id)


def _mark(connection: Connection, hold_id: str, agent_id: str, **values: str | float) -> None:
    member = hold_members.c
    its_row = (member.hold_id == hold_id, member.agent_id == agent_id)
    connection.execute(update(hold_members).where(*its_row).values(**values))


def _tell(
    connection: Connection,
    about: Hold,
    kind: MessageKind,
    headline: str,
    receivers: Sequence[str],
    now_s: float,
) -> None:
    details = {"ordered by": about.ordered_by, "confirmed by": about.confirmed_by}
    if about.lifted_at is None:
        which = "--all" if about.role is None else f"--role {quote_agent(about.role) or 'ROLE'}"
        details["to give them back"] = f"tripswitch restore {which} --reason '…'"
    whom = "all agents" if about.role is None else f"all agents of role {about.role}"
    message = trip_message(kind, whom, about.hold_id, headline, now_s, details)
    # About no single agent: an order about one would be wrong below it.
    message = message.model_copy(update={"agent_id": "", "role": about.role})
    identity = f"{kind}/hold/{about.hold_id}"
    outbox.enqueue(connection, message, identity=identity, receivers=receivers, now_s=now_s)
