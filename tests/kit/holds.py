"""Orders about a role or every agent, and about single ones, as tests give them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select

from alerting.killswitch import AgentState
from baselines.profile import Profile, Rules
from monitor.ledger import agents, approvals, grants, hold, holds, trips
from monitor.ledger.hold import Hold
from monitor.roundup import Roundup
from monitor.store import Store
from monitor.store.schema import outbox, profiles

NOW = 1_700_000_000.0
POINTS = ("registry",)
TOLD = ("terminal",)


def know(store: Store, role: str | None, *agent_ids: str) -> None:
    """Give the state store profiles of these agents."""
    with store.state() as state:
        for agent_id in agent_ids:
            state.execute(
                insert(profiles).values(
                    source="log", partition=0, agent_id=agent_id, role=role, first_seen=NOW,
                    last_seen=NOW, events=1, learned="{}", checksum=b"", body=b"",
                )
            )  # fmt: skip


def grant(store: Store, agent_id: str) -> None:
    with store.ledger() as ledger:
        grants.add(ledger, agent_id=agent_id, scope="s", reason="r", granted_by="os:x", now_s=NOW)


def allows(store: Store, agent_id: str) -> bool:
    with store.read() as ledger:
        return grants.allows(ledger, agent_id, "s", NOW + 50)


def put_on(store: Store, role: str | None, now_s: float = NOW) -> Hold:
    with store.ledger() as ledger:
        asked = approvals.ask(
            ledger,
            kind="kill_all" if role is None else "kill_role",
            subject=role or "",
            reason="INC-42",
            asked_by="os:alice",
            now_s=now_s,
            lasts_s=900,
        )
        approved = approvals.decide(
            ledger, asked.approval_id, by="os:bob", approve=True, reason="yes", now_s=now_s
        )
        return holds.carry_out(ledger, approved, receivers=TOLD, now_s=now_s)


def lift(store: Store, role: str | None, **changes: Any) -> Hold:
    values: dict[str, Any] = {"reason": "over", "by": "os:carol", "probation_s": 60.0}
    with store.ledger() as ledger:
        return holds.lift(
            ledger, role=role, receivers=TOLD, now_s=NOW + 20, **{**values, **changes}
        )


def roundup(store: Store) -> Roundup:
    return Roundup(store, POINTS, TOLD)


def state_of(store: Store, agent_id: str) -> AgentState:
    with store.read() as ledger:
        return agents.state_of(ledger, agent_id)


def progress(store: Store, one: Hold) -> hold.Progress:
    with store.read() as ledger:
        return hold.progress(ledger, one.hold_id)


def kill(
    store: Store, agent_id: str, by: str = "os:dave", points: Sequence[str] = POINTS
) -> trips.Trip:
    with store.ledger() as ledger:
        return trips.order_kill(
            ledger, agent_id=agent_id, reason="its own", ordered_by=by, automatic=False,
            now_s=NOW + 1, points=points, receivers=TOLD,
        )  # fmt: skip


def restore(store: Store, agent_id: str) -> trips.Trip:
    with store.ledger() as ledger:
        return trips.order_restore(
            ledger, agent_id=agent_id, reason="needed", ordered_by="os:dave", now_s=NOW + 5,
            probation_s=0.0, receivers=TOLD,
        )  # fmt: skip


def acting(agent_id: str, role: str | None) -> Profile:
    profile = Profile(agent_id, Rules())
    profile.role = role
    return profile


def headlines(store: Store) -> list[str]:
    with store.read() as ledger:
        docs = ledger.execute(select(outbox.c.doc).order_by(outbox.c.seq)).scalars().all()
    return [doc.split('"headline":"')[1].split('"')[0] for doc in docs]
