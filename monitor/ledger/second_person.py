"""The question that an order about many agents begins with: a second person has to approve it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection

from alerting.message import Message
from detectors.finding import Severity
from monitor.errors import UsageError
from monitor.ledger import approvals, audit, hold, outbox
from monitor.ledger.approvals import Approval


def ask(
    connection: Connection,
    *,
    role: str | None,
    reason: str,
    asked_by: str,
    now_s: float,
    lasts_s: float,
    receivers: Sequence[str],
) -> Approval:
    """Ask to cut off a role (None: every agent), and tell people that one of them is to approve.

    Raises
    ------
    UsageError
        If such an order is in force.
    """
    audit.lock(connection)
    if (known := hold.on(connection, role)) is not None:
        raise UsageError(
            f"hold {known.hold_id} is on about {known.about} since {_at(known.ordered_at)}; "
            "`tripswitch holds` tells how far it is"
        )
    asked = approvals.ask(
        connection,
        kind="kill_all" if role is None else "kill_role",
        subject=role or "",
        reason=reason,
        asked_by=asked_by,
        now_s=now_s,
        lasts_s=lasts_s,
    )
    message = Message(
        kind="trip_asked",
        agent_id=approvals.about(asked),
        at=datetime.fromtimestamp(now_s, UTC),
        severity=Severity.CRITICAL,
        headline=f"is {approvals.about(asked)} to be cut off? A second person decides: {reason}",
        details=(
            ("asked by", asked.asked_by),
            ("until", _at(asked.expires_at)),
            ("if nobody answers", "nothing is done"),
            ("to cut off", f"tripswitch approve {asked.approval_id} --reason '…'"),
            ("to let it be", f"tripswitch decline {asked.approval_id} --reason '…'"),
        ),
        approval_id=asked.approval_id,
        role=role,
    )
    identity = f"trip_asked/{asked.approval_id}"
    outbox.enqueue(connection, message, receivers, now_s, identity=identity)
    return asked


def _at(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="seconds")
