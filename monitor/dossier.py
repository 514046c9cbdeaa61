"""The dossier: all that is known of one agent, from its profile, the ledger and the settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from alerting.alert import Alert
from alerting.grants import Grant
from baselines.portrait import Portrait, Term, Volume, portrait
from detectors.digest import Digest, digest
from monitor import roster
from monitor.agent_document import agent_document, event_iso
from monitor.config import Config
from monitor.documents import grant_document, trip_document
from monitor.errors import NotFoundError
from monitor.ledger import actions, alerts, grants, trips
from monitor.ledger.trip import Trip
from monitor.policies import detection
from monitor.roster import Entry
from monitor.store import Store, shards

_LATEST: Final = 5
"""So many of its last trips and alerts are told."""
_MAX_GRANTS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """One agent.

    Attributes
    ----------
    portrait, drift
        Of the profile that saw it last; None where that is damaged.
    grants
        Those that it holds.
    verbs, outcomes
        How often, of its last actions that the history has.
    trips, alerts
        The last ones, the newest first.
    """

    entry: Entry
    portrait: Portrait | None
    drift: Digest | None
    verbs: Mapping[str, int]
    outcomes: Mapping[str, int]
    grants: Sequence[Grant]
    trips: Sequence[Trip]
    alerts: Sequence[Alert]


def gather(config: Config, store: Store, agent_id: str, now_s: float) -> Dossier:
    """Look up everything about an agent.

    Raises
    ------
    NotFoundError
        If no checkpoint has it.
    """
    entry = roster.find(config, store, agent_id, now_s)
    if entry is None:
        raise NotFoundError(
            f"no profile of agent {agent_id!r:.200}; `tripswitch agents` lists those that are "
            "known, a few seconds after they first acted"
        )
    rules = detection(config).rules
    with store.read_state() as state:
        profiles = list(shards.read_profiles(state, rules, agent_id=agent_id))
    newest = max(profiles, key=lambda profile: profile.last_seen_s, default=None)
    with store.read() as ledger:
        verbs, outcomes = actions.counts(ledger, agent_id)
        held = grants.list_grants(ledger, agent_id, _MAX_GRANTS)
        return Dossier(
            entry=entry,
            portrait=portrait(newest) if newest else None,
            drift=digest(newest) if newest else None,
            verbs=verbs,
            outcomes=outcomes,
            grants=[grant for grant in held if grant.is_valid(now_s)],
            trips=trips.list_trips(ledger, agent_id, _LATEST),
            alerts=alerts.newest(ledger, open_only=False, agent_id=agent_id, limit=_LATEST),
        )


def dossier_document(dossier: Dossier, now_s: float) -> dict[str, Any]:
    """A dossier as JSON: the agent as in a list of agents, and more; the names are a contract."""
    seen, drift = dossier.portrait, dossier.drift
    return {
        **agent_document(dossier.entry),
        "profile": seen and _portrait_document(seen),
        "verbs": dict(dossier.verbs),
        "outcomes": dict(dossier.outcomes),
        "drift": drift
        and {
            "approved_at": None if drift.approved_at_s is None else event_iso(drift.approved_at_s),
            "approved_by": drift.approved_by,
            "approved_terms": drift.terms,
            "terms_beyond": drift.breadth,
            "share_beyond": drift.share,
        },
        "grants": [grant_document(grant, now_s) for grant in dossier.grants],
        "trips": [trip_document(trip) for trip in dossier.trips],
        "alerts": [
            {
                "alert_id": alert.alert_id,
                "state": alert.state,
                "severity": alert.severity.label,
                "opened_at": alert.opened_at.isoformat(),
                "anomaly_count": alert.anomaly_count,
                "detectors": list(alert.detectors),
            }
            for alert in dossier.alerts
        ],
    }


def _portrait_document(seen: Portrait) -> dict[str, Any]:
    return {
        "tools": [
            {
                "tool": tool.text,
                "runs": tool.runs,
                "targets": _terms(tool.targets),
                "target_count": tool.target_count,
            }
            for tool in seen.tools
        ],
        "tool_count": seen.tool_count,
        "targets": _terms(seen.targets),
        "target_count": seen.target_count,
        "users": _terms(seen.users),
        "parents": _terms(seen.parents),
        "effects": {effect: round(share, 4) for effect, share in seen.effects.items()},
        "hours_of_week": [round(likely, 4) for likely in seen.hours],
        "runs_per_week": round(seen.runs_per_week, 1),
        "run_scores": [round(score, 3) for score in seen.run_scores],
        "volumes": [_volume_document(volume) for volume in seen.volumes],
        "quarantine": [
            {
                "kind": term.kind,
                "tool": term.tool,
                "text": term.text,
                "runs": term.runs,
                "first_seen": event_iso(term.first_s),
                "alarmed": term.alarmed,
            }
            for term in seen.waiting
        ],
        "quarantine_count": seen.waiting_count,
        "probation_until": event_iso(seen.probation_until_s) if seen.probation_until_s else None,
    }


def _terms(terms: Sequence[Term]) -> list[dict[str, Any]]:
    return [{"text": term.text, "runs": term.runs} for term in terms]


def _volume_document(volume: Volume) -> dict[str, Any]:
    return {
        "unit": volume.unit,
        "window_s": volume.window_s,
        "usual": round(volume.usual, 3),
        "limit": None if volume.limit is None else round(volume.limit, 3),
        "recent": list(volume.recent),
    }
