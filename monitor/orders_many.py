"""Orders about a role or about every agent, as the command line and the HTTP API carry them out.

One person asks (`ask`), another one confirms (`carry_out`), one person ends it (`lift`).
"""

import time
from dataclasses import dataclass
from typing import Any, Final

from alerting.killswitch import OPEN, PointState
from monitor.config import Config
from monitor.documents import approval_document, iso
from monitor.enforcement import longest_attempt_s, point_names
from monitor.errors import ExitCode, UsageError
from monitor.ledger import hold, holds, second_person
from monitor.ledger.approvals import Approval
from monitor.ledger.hold import Hold, Progress
from monitor.orders import check_reason, driver
from monitor.roundup import Roundup, known_agents
from monitor.routing import routing
from monitor.store import Store

_WAIT_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Many:
    """What became of an order about many agents so far."""

    hold: Hold
    progress: Progress
    exit_code: ExitCode

    def document(self) -> dict[str, Any]:
        """The order as JSON; a contract."""
        return {**hold_document(self.hold, self.progress), "exit_code": self.exit_code}


def hold_document(one: Hold, progress: Progress) -> dict[str, Any]:
    """A hold as JSON; `role` is null if it is about every agent, `lifted_at` while it is on."""
    return {
        "hold_id": one.hold_id,
        "role": one.role,
        "reason": one.reason,
        "ordered_by": one.ordered_by,
        "confirmed_by": one.confirmed_by,
        "ordered_at": iso(one.ordered_at),
        "lifted_at": iso(one.lifted_at),
        "lifted_by": one.lifted_by,
        "lifted_reason": one.lifted_reason,
        **progress._asdict(),
    }


def ask(config: Config, store: Store, *, role: str | None, reason: str, by: str) -> Approval:
    """Ask for an order about a role (None: every agent); another person has to confirm it.

    Raises
    ------
    UsageError
        If the reason or the role is empty, or such an order is in force.
    """
    check_reason(reason)
    if role is not None and not role.strip():
        raise UsageError("the role is empty; --all means every agent")
    with store.ledger() as ledger:
        return second_person.ask(
            ledger,
            role=role,
            reason=reason,
            asked_by=by,
            now_s=time.time(),
            lasts_s=config.trip.second_person_within_s,
            receivers=routing(config),
        )


def asked_document(store: Store, asked: Approval) -> dict[str, Any]:
    """An order that waits for the second person, as JSON, with how many agents it is about."""
    role = asked.subject if asked.kind == "kill_role" else None
    agents = len({agent for page in known_agents(store, role) for agent in page})
    return {**approval_document(asked), "agents": agents, "exit_code": ExitCode.PARTLY}


def carry_out(config: Config, store: Store, approval: Approval, owner: str) -> Many:
    """Cut off all that a second person has just confirmed; resumes where it was begun before."""
    receivers = routing(config)
    with store.ledger() as ledger:
        ordered = holds.carry_out(ledger, approval, receivers=receivers, now_s=time.time())
    Roundup(store, point_names(config), receivers).begin(ordered)
    return _drive(config, store, ordered, owner)


def lift(
    config: Config,
    store: Store,
    *,
    role: str | None,
    reason: str,
    by: str,
    owner: str,
    probation_s: float | None = None,
) -> Many:
    """End an order about many, and give back what it alone cut off; probation as configured."""
    check_reason(reason)
    receivers = routing(config)
    with store.ledger() as ledger:
        lifted = holds.lift(
            ledger,
            role=role,
            reason=reason,
            by=by,
            probation_s=config.trip.probation_s if probation_s is None else probation_s,
            receivers=receivers,
            now_s=time.time(),
        )
    Roundup(store, point_names(config), receivers).carry_out(lifted)
    return _drive(config, store, lifted, owner)


def _drive(config: Config, store: Store, ordered: Hold, owner: str) -> Many:
    """Try each open point once, as far as time allows; the daemon goes on with the rest."""
    deadline_s = time.time() + longest_attempt_s(config) + 1
    with driver(config, store, owner) as opened:
        while time.time() < deadline_s and _is_any_tried(config, store, ordered):
            if not opened.start_due():
                time.sleep(_WAIT_S)
    with store.read() as ledger:
        now = hold.get(ledger, ordered.hold_id)
        progress = hold.progress(ledger, now.hold_id)
        states = hold.point_states(ledger, now.hold_id)
        unfinished = hold.has_work(ledger, now.hold_id) or bool(states & OPEN)
    exit_code = ExitCode.FAILED if PointState.GIVEN_UP in states else ExitCode.DONE
    return Many(now, progress, ExitCode.PARTLY if unfinished else exit_code)


def _is_any_tried(config: Config, store: Store, ordered: Hold) -> bool:
    with store.read() as ledger:
        return hold.is_any_tried(ledger, ordered.hold_id, point_names(config), time.time())
