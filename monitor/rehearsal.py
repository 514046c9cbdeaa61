"""What an order would do, without doing anything: `--dry-run`. Reads alone."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection

from alerting.killswitch import BLOCKED, Direction, Order
from alerting.revoke.orders import record
from monitor.config import Config
from monitor.enforcement import point_names
from monitor.errors import NotFoundError
from monitor.ledger import agents, grants, hold, trips
from monitor.ledger.agents import Standing
from monitor.orders import check_order, check_reason
from monitor.orders_many import hold_document
from monitor.roundup import known_agents
from monitor.routing import told_of_order
from monitor.store import Store

_TRIP: Final = "(new)"
_MANY_GRANTS: Final = 1_000_000


def kill(config: Config, store: Store, *, agent: str, reason: str, by: str) -> dict[str, Any]:
    """What `kill AGENT` would do, as JSON: state, grants to be revoked, what points would hear."""
    check_order(agent, reason)
    with store.read() as ledger:
        now = _standing(ledger, agent)
        is_new = now is None or now.state not in BLOCKED
        return {
            **_beginning("kill", agent, now, is_new, config),
            "grants": _valid_grants(ledger, agent) if is_new else [],
            "points": _told(
                point_names(config) if is_new else (), "revoke", agent, now, reason, by, _TRIP
            ),
        }


def restore(
    config: Config, store: Store, *, agent: str, reason: str, by: str, probation_s: float | None
) -> dict[str, Any]:
    """What `restore AGENT` would do, likewise.

    Raises
    ------
    NotFoundError
        If the agent was never cut off.
    """
    check_order(agent, reason)
    lasts_s = config.trip.probation_s if probation_s is None else probation_s
    with store.read() as ledger:
        now = _standing(ledger, agent)
        is_held = ledger.execute(hold.covering(agent)).first() is not None
        if is_held and (now is None or now.state not in BLOCKED):
            return {  # the hold has not come to it yet
                **_beginning("restore", agent, now, True, config),
                "trip_id": _TRIP,
                "probation_s": lasts_s,
                "grants": _valid_grants(ledger, agent),
                "points": [],
            }
        if now is None or now.trip_id is None:
            raise NotFoundError(
                f"agent {agent!r:.200} was never cut off: nothing to restore; `tripswitch trips` "
                "lists who was"
            )
        trip = trips.get(ledger, now.trip_id)
        is_new = trip.state in BLOCKED
        names = [point.point for point in trip.points] if is_new else []
        return {
            **_beginning("restore", agent, now, is_new, config),
            "trip_id": trip.trip_id,
            "probation_s": lasts_s,
            "grants": _grants_of_trip(ledger, agent, trip.trip_id) if is_new else [],
            "points": _told(names, "restore", agent, now, reason, by, trip.trip_id),
        }


def kill_many(config: Config, store: Store, *, role: str | None, reason: str) -> dict[str, Any]:
    """What `kill --role` or `--all` would do once a second person has confirmed it."""
    check_reason(reason)
    found = sorted({agent for page in known_agents(store, role) for agent in page})
    with store.read() as ledger:
        standings = agents.standings(ledger, found)
        known = hold.on(ledger, role)
        listed = [_member(ledger, agent, standings.get(agent), config) for agent in found]
    return {
        "dry_run": True,
        "action": "kill",
        "role": role,
        "hold_id": known.hold_id if known else None,
        "second_person_within_s": config.trip.second_person_within_s,
        "agents": len(listed),
        "members": listed,
        "receivers": told_of_order(config, role=role),
    }


def restore_many(config: Config, store: Store, *, role: str | None, reason: str) -> dict[str, Any]:
    """What `restore --role` or `--all` would do.

    Raises
    ------
    NotFoundError
        If no such hold is on.
    """
    check_reason(reason)
    with store.read() as ledger:
        lifted = hold.require(ledger, role)
        progress = hold.progress(ledger, lifted.hold_id)
        found = hold.cut_off_by(ledger, lifted.hold_id)
    return {
        "dry_run": True,
        "action": "restore",
        **hold_document(lifted, progress),
        "members": [{"agent_id": agent, "state": state} for agent, state in found],
        "receivers": told_of_order(config, role=role),
    }


def _beginning(
    action: str, agent: str, now: Standing | None, is_new: bool, config: Config
) -> dict[str, Any]:
    return {
        "dry_run": True,
        "action": action,
        "agent_id": agent,
        "state": now.state if now else "active",
        "new": is_new,
        "receivers": told_of_order(config, agent_id=agent) if is_new else [],
    }


def _member(ledger: Connection, agent: str, now: Standing | None, config: Config) -> dict[str, Any]:
    is_new = now is None or now.state not in BLOCKED
    return {
        "agent_id": agent,
        "state": now.state if now else "active",
        "grants": len(_valid_grants(ledger, agent)) if is_new else 0,
        "points": list(point_names(config)) if is_new else [],
    }


def _standing(ledger: Connection, agent: str) -> Standing | None:
    return agents.standings(ledger, [agent]).get(agent)


def _valid_grants(ledger: Connection, agent: str) -> list[dict[str, str]]:
    found = grants.list_grants(ledger, agent, _MANY_GRANTS)
    return [
        {"grant_id": grant.grant_id, "scope": grant.scope}
        for grant in found
        if grant.revoked_at is None
    ]


def _grants_of_trip(ledger: Connection, agent: str, trip_id: str) -> list[dict[str, str]]:
    now_s = time.time()
    return [
        {"grant_id": grant.grant_id, "scope": grant.scope}
        for grant in grants.list_grants(ledger, agent, _MANY_GRANTS)
        if grant.revoked_by == f"trip:{trip_id}"
        and (grant.expires_at is None or grant.expires_at > now_s)
    ]


def _told(
    names: Sequence[str],
    direction: Direction,
    agent: str,
    now: Standing | None,
    reason: str,
    by: str,
    trip_id: str,
) -> list[dict[str, Any]]:
    """By point: the order that it would be told."""
    order = Order(
        trip_id=trip_id,
        agent_id=agent,
        direction=direction,
        order_seq=agents.next_seq(now.order_seq if now else 0, time.time()),
        reason=reason,
        ordered_by=by,
        ordered_at=datetime.now(UTC),
    )
    return [{"point": name, "order": record(order)} for name in names]
