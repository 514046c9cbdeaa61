"""The roster: who acts, and what the ledger and the settings have about each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from alerting.alert import Alert
from alerting.routes import Subject
from baselines.summary import Summary
from detectors.finding import Severity
from detectors.pattern import matches
from monitor.config import Config
from monitor.ledger import grants
from monitor.ledger.agents import Standing, standings
from monitor.ledger.alerts import open_alerts
from monitor.routing import routing
from monitor.store import Store, inventory
from monitor.store.inventory import Known

_ALL: Final = 100_000
"""So many of the last seen are looked through for those that nobody declared."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One agent on the roster.

    Attributes
    ----------
    known
        As of the last checkpoint.
    standing
        Where it stands; None if nobody ever granted or ordered it anything.
    alert
        Its open alert.
    owner
        Who is responsible, by `[[owners]]`.
    live_grants
        How many grants it holds.
    declared
        Whether `agents.declared` names it; None where nothing is declared. One that is not is
        shadow AI: somebody runs it on the side.
    """

    known: Known
    standing: Standing | None
    alert: Alert | None
    owner: str | None
    live_grants: int
    declared: bool | None


def newest(
    config: Config,
    store: Store,
    *,
    role: str | None = None,
    calibrated: bool | None = None,
    undeclared: bool = False,
    limit: int,
    now_s: float,
) -> list[Entry]:
    """Agents, the last seen first.

    Parameters
    ----------
    role, calibrated
        Only these; None for all.
    undeclared
        Only those that nobody declared; none where nothing is declared.
    limit
        At most so many.
    now_s
        The clock, in seconds since the epoch.
    """
    with store.read_state() as saved:
        found = inventory.newest(
            saved, role=role, calibrated=calibrated, limit=_ALL if undeclared else limit
        )
    if undeclared:
        found = [one for one in found if _is_declared(config, one.summary) is False][:limit]
    return _entries(config, store, found, now_s)


def find(config: Config, store: Store, agent_id: str, now_s: float) -> Entry | None:
    """One agent; None if no checkpoint has it."""
    with store.read_state() as saved:
        found = inventory.newest(saved, agent_id=agent_id, limit=1)
    return next(iter(_entries(config, store, found, now_s)), None)


def _entries(config: Config, store: Store, found: Sequence[Known], now_s: float) -> list[Entry]:
    ids = [known.summary.agent_id for known in found]
    with store.read() as ledger:
        orders = standings(ledger, ids)
        alerts = open_alerts(ledger, ids, lock=False)
        held = grants.count_live(ledger, ids, now_s)
    owners = _owners(config, found)
    return [
        Entry(
            known,
            orders.get(agent_id),
            alerts.get(agent_id),
            owners.get(agent_id),
            held.get(agent_id, 0),
            _is_declared(config, known.summary),
        )
        for agent_id, known in zip(ids, found, strict=True)
    ]


def _owners(config: Config, found: Sequence[Known]) -> Mapping[str, str]:
    chosen, owners = routing(config), {}
    for summary in (known.summary for known in found):
        roles = (summary.role,) if summary.role else ()
        about = Subject(
            group="alerts", severity=Severity.LOW, agents=(summary.agent_id,), roles=roles
        )
        if owner := chosen.owner_of(about):
            owners[summary.agent_id] = owner.name
    return owners


def _is_declared(config: Config, summary: Summary) -> bool | None:
    declared = config.agents.declared
    return matches(declared, summary.agent_id) if declared else None
