"""The digest: gathered from the store when it is due, and put into the outbox once.

The outbox's identity of a period and an owner makes it one, whichever processes find it due. What
was due while none ran is told for a day after.
"""

import time as clock
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time
from typing import Final

from sqlalchemy import Connection, select

from alerting.alert import QUIET, Alert
from alerting.digest import Every, Facts, Period, message, period
from alerting.grants import Grant
from alerting.killswitch import PERSONS
from alerting.routes import Owner, Routing, Subject
from detectors.digest import counted
from detectors.digest import digest as drift
from detectors.finding import Severity
from monitor.config import Config
from monitor.current import Current
from monitor.ledger import conditions, outbox, trip
from monitor.ledger import grants as ledger_grants
from monitor.policies import detection
from monitor.store import Store, inventory, shards
from monitor.store.schema import alerts, profiles, trips
from monitor.store.schema import outbox as told

CATCH_UP_S: Final = 86_400.0
_EXPIRES_WITHIN_S: Final = 7 * 86_400.0
_MAX_ALERTS: Final = 10_000
_MAX_AGENTS: Final = 1000
_MAX_DRIFT: Final = 200
"""So many agents, those that acted last, are looked at for what they widened: it takes reading."""
_MAX_PARAMETERS: Final = 500


def periods(config: Config, now: datetime) -> list[Period]:
    """The newest period of each kind of digest that the settings ask for."""
    settings = config.digest
    wanted: list[Every] = []
    if settings.daily_at != "never":
        wanted.append("daily")
    if settings.weekly_on != "never":
        wanted.append("weekly")
    return [newest(config, every, now) for every in wanted]


def newest(config: Config, every: Every, now: datetime) -> Period:
    """The newest period of a digest that is over."""
    settings = config.digest
    at = time.fromisoformat("08:00" if settings.daily_at == "never" else settings.daily_at)
    weekday = "mon" if settings.weekly_on == "never" else settings.weekly_on
    return period(every, now, at, weekday, settings.zone)


class Digests:
    """Tells what is due; asked every now and then.

    Parameters
    ----------
    current
        The settings in force.
    receivers
        Who is told.
    wake
        Called after something was put into the outbox.
    """

    def __init__(
        self,
        current: Current,
        store: Store,
        receivers: Sequence[str],
        wake: Callable[[], None],
        clock: Callable[[], float] = clock.time,
    ) -> None:
        self._current = current
        self._store = store
        self._receivers = receivers
        self._wake = wake
        self._clock = clock
        self._done: set[str] = set()

    def look(self) -> None:
        """Tell what became due, unless another process has."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        for one in periods(self._current.config, now):
            if one.identity in self._done:
                continue
            late_s = now.timestamp() - one.until.timestamp()
            if late_s <= CATCH_UP_S and self._was_in_use(one):
                self._tell(one, now)
            self._done = {*list(self._done)[-10:], one.identity}

    def _was_in_use(self, one: Period) -> bool:
        """Whether anything had happened by then: a store of today has no yesterday."""
        before_s = one.until.timestamp()
        with self._store.read() as ledger:
            queries = (
                select(alerts.c.alert_id).where(alerts.c.opened_at < before_s),
                select(told.c.seq).where(told.c.created_at < before_s),
                select(trips.c.trip_id).where(trips.c.ordered_at < before_s),
            )
            return any(ledger.execute(query.limit(1)).first() for query in queries)

    def _tell(self, one: Period, now: datetime) -> None:
        found = gather(self._current.config, self._store, self._receivers, one)
        with self._store.ledger() as ledger:
            for facts in found:
                identity = f"digest/{one.identity}/{facts.owner or ''}"
                outbox.enqueue(
                    ledger,
                    message(facts, now),
                    self._receivers,
                    now.timestamp(),
                    identity=identity,
                )
        self._wake()


def gather(config: Config, store: Store, receivers: Sequence[str], one: Period) -> list[Facts]:
    """What happened, for each owner that is configured and for the agents of nobody."""
    owners: Sequence[Owner] = receivers.owners if isinstance(receivers, Routing) else ()
    return _Gathered(config, store, one).shares(owners)


class _Gathered:
    """What happened to all agents, before it is shared out."""

    def __init__(self, config: Config, store: Store, one: Period) -> None:
        self.period = one
        since_s, until_s = one.since.timestamp(), one.until.timestamp()
        with store.read_state() as state:
            self.known = inventory.newest(state, limit=_MAX_AGENTS)
            self.tally = inventory.tally(state)
            rules = detection(config).rules
            self.drifts = [
                drift(profile)
                for agent in self.known[:_MAX_DRIFT]
                if agent.summary.last_seen_s >= since_s
                for profile in shards.read_profiles(state, rules, agent_id=agent.summary.agent_id)
            ]
        with store.read() as ledger:
            self.alerts = _alerts(ledger, since_s, until_s)
            self.trips = [
                found
                for found in trip.list_trips(ledger, limit=500)
                if since_s <= found.ordered_at < until_s
            ]
            self.grants = [
                grant
                for grant in ledger_grants.list_grants(ledger, limit=5000)
                if grant.is_valid(until_s)
            ]
            self.conditions = conditions.between(ledger, since_s, until_s, 50)
        with store.read_state() as state:
            about = {grant.agent_id for grant in self.grants}
            self.roles, self.seen_s = _seen(state, about | {one.agent_id for one in self.trips})
        self.roles |= {one.summary.agent_id: one.summary.role for one in self.known}
        self.roles |= {alert.agent_id: alert.role for alert in self.alerts if alert.role}

    def shares(self, owners: Sequence[Owner]) -> list[Facts]:
        """The facts of each owner, then those of nobody's agents."""
        shares = [self._facts(owner, owners) for owner in owners]
        rest = self._facts(None, owners)
        if not owners or not rest.is_empty:
            shares.append(rest)
        return shares

    def _facts(self, owner: Owner | None, owners: Sequence[Owner]) -> Facts:
        def is_in(agent_id: str) -> bool:
            role = self.roles.get(agent_id)
            subject = Subject(
                group="digest",
                severity=Severity.LOW,
                agents=(agent_id,),
                roles=(role,) if role else (),
            )
            return next((one for one in owners if one.owns(subject)), None) is owner

        alerts = [alert for alert in self.alerts if is_in(alert.agent_id)]
        known = [one.summary for one in self.known if is_in(one.summary.agent_id)]
        learning = [one.agent_id for one in known if one.learned["run"].since_s is None]
        judged = [alert for alert in alerts if _is_judged(alert)]
        until_s = self.period.until.timestamp()
        grants = [grant for grant in self.grants if is_in(grant.agent_id)]
        ending = [
            grant
            for grant in grants
            if grant.expires_at is not None and grant.expires_at < until_s + _EXPIRES_WITHIN_S
        ]
        standing = sorted(
            (grant for grant in grants if grant.expires_at is None),
            key=lambda grant: grant.granted_at,
        )
        creep = sorted(
            (one for one in self.drifts if one.beyond and one.share > 0 and is_in(one.agent_id)),
            key=lambda one: -one.share,
        )
        return Facts(
            owner=owner.name if owner else None,
            period=self.period,
            incidents=len({alert.incident_id or alert.alert_id for alert in alerts}),
            severities=Counter(alert.severity.label for alert in alerts),
            detectors=Counter(name for alert in alerts for name in alert.detectors),
            kept_back=Counter(filter(None, map(_kept_back, alerts))),
            marked=len(judged),
            false=sum(map(_is_false, judged)),
            agents=len(known) if owners else self.tally.profiles,
            learning=learning[:20],
            learning_count=len(learning) if owners else self.tally.profiles - self.tally.calibrated,
            creep=[(one.agent_id, one.share, counted(one.beyond)) for one in creep],
            expiring=[
                (grant.agent_id, grant.scope, self._at(grant.expires_at or 0.0))
                for grant in sorted(ending, key=lambda grant: grant.expires_at or 0.0)
            ],
            standing=[self._granted(grant) for grant in standing],
            unused=[
                self._granted(grant)
                for grant in standing
                if self.seen_s.get(grant.agent_id, 0.0) < self.period.since.timestamp()
                and grant.granted_at < self.period.since.timestamp()
            ],
            trips=[(one.agent_id, _how(one)) for one in self.trips if is_in(one.agent_id)],
            conditions=[f"{one.kind} of {one.subject}: {one.text}" for one in self.conditions]
            if owner is None
            else (),
        )

    def _granted(self, grant: Grant) -> tuple[str, str, datetime]:
        return grant.agent_id, grant.scope, self._at(grant.granted_at)

    def _at(self, time_s: float) -> datetime:
        return datetime.fromtimestamp(time_s, self.period.until.tzinfo)


def _alerts(ledger: Connection, since_s: float, until_s: float) -> list[Alert]:
    query = (
        select(alerts.c.doc)
        .where(alerts.c.opened_at >= since_s, alerts.c.opened_at < until_s)
        .order_by(alerts.c.opened_at.desc())
        .limit(_MAX_ALERTS)
    )
    return [Alert.model_validate_json(doc) for doc in ledger.execute(query).scalars()]


def _seen(state: Connection, agent_ids: set[str]) -> tuple[dict[str, str | None], dict[str, float]]:
    """The agents' roles, and when each acted last."""
    roles: dict[str, str | None] = {}
    last_s: dict[str, float] = {}
    wanted = list(agent_ids)
    for start in range(0, len(wanted), _MAX_PARAMETERS):
        query = select(profiles.c.agent_id, profiles.c.role, profiles.c.last_seen).where(
            profiles.c.agent_id.in_(wanted[start : start + _MAX_PARAMETERS])
        )
        for row in state.execute(query.order_by(profiles.c.last_seen)):
            roles[row.agent_id], last_s[row.agent_id] = row.role, row.last_seen
    return roles, last_s


def _is_judged(alert: Alert) -> bool:
    """Whether a person said what it was."""
    by = alert.resolved_by or ""
    return alert.state == "expected" or (by != QUIET and by.startswith(PERSONS))


def _is_false(alert: Alert) -> bool:
    """Whether a person said that it was none: as expected, or `false …` as the reason."""
    said = (alert.resolved_reason or "").strip().lower()
    return alert.state == "expected" or said.startswith("false")


def _kept_back(alert: Alert) -> str | None:
    if alert.charge == "capped":
        return "over budget"
    if alert.muted_by is not None:
        return "muted"
    return "explained by something else" if alert.inhibited_by is not None else None


def _how(one: trip.Trip) -> str:
    by = "by itself" if one.automatic else f"by {one.ordered_by}"
    contained, silent = one.order_to_containment_s, one.time_to_silence_s
    parts = [by, "not contained" if contained is None else f"contained in {contained:.1f} s"]
    if silent is not None:
        parts.append(f"silent in {silent:.1f} s")
    if one.restored_at is not None:
        parts.append("restored")
    return ", ".join(parts)
