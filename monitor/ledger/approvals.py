"""Approvals: orders that wait for a person, or for a second one, and what was decided."""

import uuid
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Connection, insert, select, update

from alerting.killswitch import is_person
from baselines.event import MAX_NAME_CHARS
from monitor.errors import NotFoundError, UsageError
from monitor.ledger import audit, tokens
from monitor.store.schema import approvals
from monitor.store.sql import storable

Kind = Literal["trip", "kill_role", "kill_all"]
OnExpiry = Literal["nothing", "trip"]
State = Literal["waiting", "approved", "declined", "expired"]

SECOND_PERSON: Final = frozenset(("kill_role", "kill_all"))
"""Kinds that another person than the one who asked must approve."""


@dataclass(frozen=True, slots=True)
class Approval:
    """One order that waits, or waited. Times are seconds since the epoch.

    Attributes
    ----------
    kind
        What is done once it is approved: the trip of an agent, or an order about many.
    subject
        The agent of a trip, the role of `kill_role`; empty for `kill_all`.
    asked_by
        Who wants it: a person, or `rule:NAME`.
    on_expiry
        What happens if nobody decided before `expires_at`.
    anomaly_id, anomaly_at
        The evidence of an automatic one, and its event time.
    """

    approval_id: str
    kind: Kind
    subject: str
    reason: str
    asked_by: str
    asked_at: float
    expires_at: float
    on_expiry: OnExpiry
    state: State
    decided_by: str | None
    decided_at: float | None
    decided_reason: str | None
    anomaly_id: str | None
    anomaly_at: float | None


def ask(
    connection: Connection,
    *,
    kind: Kind,
    subject: str,
    reason: str,
    asked_by: str,
    now_s: float,
    lasts_s: float,
    on_expiry: OnExpiry = "nothing",
    anomaly_id: str | None = None,
    anomaly_at: float | None = None,
) -> Approval:
    """Ask for an approval, unless one of this kind and subject waits already: then that one.

    Parameters
    ----------
    kind, subject, reason, asked_by, on_expiry, anomaly_id, anomaly_at
        As in `Approval`.
    lasts_s
        So long somebody may decide.
    """
    audit.lock(connection)
    subject = storable(subject, MAX_NAME_CHARS)
    waits = (approvals.c.kind == kind, approvals.c.subject == subject)
    for waiting in _read(connection, *waits, approvals.c.state == "waiting"):
        if now_s < waiting.expires_at or waiting.on_expiry != "nothing":
            return waiting
        expire(connection, waiting.approval_id, now_s)  # nobody has come by since it ran out
    approval_id, expires_at = uuid.uuid4().hex[:12], now_s + lasts_s
    connection.execute(
        insert(approvals).values(
            approval_id=approval_id,
            kind=kind,
            subject=subject,
            reason=storable(reason),
            asked_by=storable(asked_by),
            asked_at=now_s,
            expires_at=expires_at,
            on_expiry=on_expiry,
            state="waiting",
            anomaly_id=anomaly_id,
            anomaly_at=anomaly_at,
        )
    )
    asked = get(connection, approval_id)
    doc = {"expires_at": expires_at, "on_expiry": on_expiry, "anomaly_id": anomaly_id}
    _log(connection, asked, asked_by, "approval asked", reason, now_s, doc)
    return asked


def decide(
    connection: Connection,
    approval_id: str,
    *,
    by: str,
    approve: bool,
    reason: str,
    now_s: float,
) -> Approval:
    """Approve or decline; a person's decision, with a reason, before the time is over.

    An order about many agents is approved by another person than the one who asked; who asked
    may decline it.

    Raises
    ------
    NotFoundError
        If there is no such approval.
    UsageError
        If it does not wait any more, no person decides, or the same person as asked approves.
    """
    audit.lock(connection)
    found = get(connection, approval_id)
    if not is_person(by):
        raise UsageError(f"only a person decides, not {by!r:.100}")
    if not reason.strip():
        raise UsageError("a decision needs a reason")
    if found.state != "waiting":
        who = f" by {found.decided_by}" if found.decided_by else ""
        raise UsageError(
            f"approval {approval_id} is {found.state}{who} already; `tripswitch approvals` lists "
            "what waits"
        )
    if now_s >= found.expires_at:
        late_s = now_s - found.expires_at
        raise UsageError(f"approval {approval_id} ran out {late_s:.0f} s ago: ask again")
    takes_another = approve and found.kind in SECOND_PERSON
    if takes_another and may_be_one_person(connection, by, found.asked_by):
        raise UsageError(
            f"{found.asked_by} asked for {approval_id}, and {by} may be the same person: "
            "a second one has to approve it"
        )
    state: State = "approved" if approve else "declined"
    return _settle(connection, found, state, by, reason, now_s)


def expired(connection: Connection, now_s: float, limit: int = 100) -> list[Approval]:
    """Those that still wait although their time is over, the oldest first."""
    return _read(
        connection, approvals.c.state == "waiting", approvals.c.expires_at <= now_s, limit=limit
    )


def expire(connection: Connection, approval_id: str, now_s: float) -> Approval:
    """End a waiting approval whose time is over; one that is settled, or has time, stays."""
    audit.lock(connection)
    found = get(connection, approval_id)
    if found.state != "waiting" or now_s < found.expires_at:
        return found
    return _settle(connection, found, "expired", None, None, now_s)


def get(connection: Connection, approval_id: str) -> Approval:
    """One approval.

    Raises
    ------
    NotFoundError
        If there is none of that id.
    """
    found = _read(connection, approvals.c.approval_id == approval_id)
    if not found:
        raise NotFoundError(f"no approval {approval_id!r:.60}; `tripswitch approvals` lists them")
    return found[0]


def list_waiting(connection: Connection, limit: int = 1000) -> list[Approval]:
    """Those that wait, the oldest first; one whose time is over is among them until it ends."""
    return _read(connection, approvals.c.state == "waiting", limit=limit)


def about(approval: Approval) -> str:
    """Whom it is about, in the audit's words: an agent's id, `role:NAME` or `all agents`."""
    if approval.kind == "kill_all":
        return "all agents"
    return f"role:{approval.subject}" if approval.kind == "kill_role" else approval.subject


def may_be_one_person(connection: Connection, one: str, other: str) -> bool:
    """Whether two actors need not be two persons.

    Whoever became another user of the system, as `os:root via os:alice`, is both of them; and
    `os:root` by itself may be any of its users. Whoever made a token has seen its secret, and may
    use it. Two tokens of one maker are two persons': so an admin makes them for others. That two
    names of different systems are one person's cannot be told here.
    """
    ours, theirs = tokens.makers(connection, one), tokens.makers(connection, other)
    pairs = [(one, other), *((maker, other) for maker in ours), *((one, maker) for maker in theirs)]
    return any(_share_a_person(*pair) for pair in pairs)


def _share_a_person(one: str, other: str) -> bool:
    ours, theirs = set(one.split(" via ")), set(other.split(" via "))
    if ours & theirs:
        return True
    users = [name for name in (*ours, *theirs) if name.startswith("os:")]
    return "os:root" in (one, other) and len(users) > 1


def _settle(
    connection: Connection,
    found: Approval,
    state: State,
    by: str | None,
    reason: str | None,
    now_s: float,
) -> Approval:
    connection.execute(
        update(approvals)
        .where(approvals.c.approval_id == found.approval_id)
        .values(
            state=state,
            decided_by=None if by is None else storable(by),
            decided_at=now_s,
            decided_reason=None if reason is None else storable(reason),
        )
    )
    _log(connection, found, by or "tripswitch", f"approval {state}", reason, now_s, {})
    return get(connection, found.approval_id)


def _log(
    connection: Connection,
    approval: Approval,
    actor: str,
    action: str,
    reason: str | None,
    now_s: float,
    doc: dict[str, Any],
) -> None:
    audit.append(
        connection,
        at_s=now_s,
        actor=actor,
        action=action,
        subject=about(approval),
        doc={"approval_id": approval.approval_id, "kind": approval.kind, **doc},
        text=None if reason is None else {"reason": storable(reason)},
    )


def _read(connection: Connection, *which: ColumnElement[bool], limit: int = 1000) -> list[Approval]:
    query = select(approvals).where(*which).limit(limit)
    rows = connection.execute(query.order_by(approvals.c.asked_at, approvals.c.approval_id))
    return [Approval(**row) for row in rows.mappings()]
