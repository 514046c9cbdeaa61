"""Takes grants in from elsewhere: in the caller's transaction, each id once."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, insert, select

from alerting.grants import Grant
from alerting.killswitch import BLOCKED
from monitor.errors import UsageError
from monitor.ledger import agents, audit, hold
from monitor.store.schema import grants
from monitor.store.sql import storable

_BATCH = 500
_MANY_SCOPES = 20


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file. Counts; together they are its grants."""

    added: int
    known: int
    """Their ids were here before: left as they are, revoked ones, too."""
    ended: int
    """Added, but revoked or expired already: for the record."""
    refused: int
    """Added as revoked, for their agents are cut off."""


def take_in(connection: Connection, found: Sequence[Grant], *, by: str, now_s: float) -> Imported:
    """Add the grants whose ids are not here yet.

    Nothing that was revoked is revived: what is here stays as it is, what the file says was
    revoked is added as revoked for good. To an agent that is cut off nothing is granted.

    Raises
    ------
    UsageError
        If an id is here and means another agent or scope.
    """
    audit.lock(connection)
    known = _known(connection, [grant.grant_id for grant in found])
    for grant in found:
        other = known.get(grant.grant_id)
        if other is not None and other != (grant.agent_id, storable(grant.scope)):
            raise UsageError(
                f"nothing was imported: grant {grant.grant_id} is here for agent "
                f"{other[0]!r:.80} and scope {other[1]!r:.80}"
            )
    fresh: dict[str, list[Grant]] = defaultdict(list)
    for grant in found:
        if grant.grant_id not in known:
            fresh[grant.agent_id].append(grant)
    added = [
        grant
        for agent_id in sorted(fresh)  # in one order, so that no two imports wait for each other
        for grant in _add(connection, agent_id, fresh[agent_id], by, now_s)
    ]
    refused = sum(str(grant.revoked_by).startswith("blocked:") for grant in added)
    valid = sum(grant.is_valid(now_s) for grant in added)
    return Imported(valid, len(found) - len(added), len(added) - valid - refused, refused)


def _known(connection: Connection, grant_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Agent and scope of those that are here."""
    found = {}
    for start in range(0, len(grant_ids), _BATCH):
        some = grants.c.grant_id.in_(grant_ids[start : start + _BATCH])
        query = select(grants.c.grant_id, grants.c.agent_id, grants.c.scope).where(some)
        found.update({row.grant_id: (row.agent_id, row.scope) for row in connection.execute(query)})
    return found


def _add(
    connection: Connection, agent_id: str, theirs: Sequence[Grant], by: str, now_s: float
) -> list[Grant]:
    """One agent's, and one entry of the audit about them."""
    agent = agents.lock(connection, agent_id, now_s)
    held = connection.execute(hold.covering(agent_id)).scalars().first()
    cut_off_by = agent.trip_id if agent.state in BLOCKED else held
    added = [_as_added(grant, cut_off_by, now_s) for grant in theirs]
    connection.execute(insert(grants), [_row(grant) for grant in added])
    audit.append(
        connection,
        at_s=now_s,
        actor=by,
        action="grants imported, agent is cut off" if cut_off_by else "grants imported",
        subject=agent_id,
        doc={"grant_ids": [grant.grant_id for grant in added]},
        text={"scopes": sorted({grant.scope for grant in added})[:_MANY_SCOPES]},
    )
    return added


def _as_added(grant: Grant, cut_off_by: str | None, now_s: float) -> Grant:
    if grant.revoked_at is not None:
        # Never `trip:ID`: a restore here gives back what a trip here took, and nothing else.
        return replace(grant, revoked_by=f"imported, revoked by {grant.revoked_by or 'somebody'}")
    if cut_off_by is not None and grant.is_valid(now_s):
        return replace(grant, revoked_at=now_s, revoked_by=f"blocked:{cut_off_by}")
    return grant


def _row(grant: Grant) -> dict[str, str | float | None]:
    return {
        "grant_id": grant.grant_id,
        "agent_id": grant.agent_id,
        "scope": storable(grant.scope),
        "reason": storable(grant.reason),
        "granted_by": storable(grant.granted_by),
        "granted_at": grant.granted_at,
        "expires_at": grant.expires_at,
        "revoked_at": grant.revoked_at,
        "revoked_by": None if grant.revoked_by is None else storable(grant.revoked_by),
    }
