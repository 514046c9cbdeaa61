"""Health: the monitor watches itself, keeps what is wrong in the ledger, and has people told."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from alerting.health import Condition, Key, Trouble, Vigil, is_ready
from alerting.health_rules import RULES
from monitor.current import Current
from monitor.documents import iso
from monitor.health_ledger import Aside, SilentError
from monitor.health_probes import Probe, ledger_troubles
from monitor.ledger import conditions
from monitor.pulse import Pulse
from monitor.store import Store
from monitor.store.engine import STORE_ERRORS, reason

log = logging.getLogger(__name__)

_SAY_EVERY_S: Final = 30.0
_ORPHANS_EVERY_S: Final = 60.0


class _Found(NamedTuple):
    """What the ledger says: what is wrong, and at the first time what was wrong before."""

    troubles: list[Trouble]
    before: list[Condition]


class Health:
    """Looks now and then; `ready` and `is_well` may be asked by any thread.

    Parameters
    ----------
    store
        Where conditions are kept.
    current
        The settings in force: from when on something is wrong.
    process
        Names this process in conditions of its own.
    receivers
        Who is told.
    pulse
        Of the worker's loop.
    probes
        What looks for trouble; asks no store.
    wake
        Called after something was put into the outbox.
    clock
        The time, in seconds since the epoch.
    """

    def __init__(
        self,
        store: Store,
        current: Current,
        *,
        process: str,
        receivers: Sequence[str],
        pulse: Pulse,
        probes: Sequence[Probe],
        wake: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._current = current
        self._process = process
        self._receivers = receivers
        self._pulse = pulse
        self.probes = list(probes)
        self._wake = wake
        self._clock = clock
        self._vigil = Vigil()
        self._looking = threading.Lock()
        self._aside = Aside()
        self._kept: dict[Key, Condition] = {}
        """As the ledger has them."""
        self._resumed = False
        self._said_at_s = self._orphans_at_s = 0.0
        self._held: tuple[Condition, ...] = ()
        self._looked_at_s = time.monotonic()
        self._reported: set[str] = set()

    def look(self) -> None:
        """Look for trouble, and keep and tell what began or ended."""
        with self._looking:
            now_s = self._clock()
            troubles = list(self._probed(now_s))
            try:
                found = self._aside.ask(lambda: self._read(now_s))
            except (*STORE_ERRORS, SilentError) as error:
                troubles.append(Trouble("store", self._store.url, reason(error)))
                # What only the ledger tells is not known now; it neither begins nor ends.
                shared = (one for one in self._vigil.held.values() if RULES[one.kind].shared)
                troubles += (Trouble(one.kind, one.subject, one.text) for one in shared)
            else:
                troubles += found.troubles
                self._resume(found.before, now_s)
            now_s = self._clock()  # an answer may have been waited for
            self._vigil.judge(troubles, now_s)
            held = dict(self._vigil.held)
            self._held = tuple(sorted(held.values(), key=lambda one: -one.severity))
            self._looked_at_s = time.monotonic()
            try:
                self._aside.ask(lambda: self._keep(held, now_s))
            except (*STORE_ERRORS, SilentError) as error:
                # Until now, so that what ends next is still held when it can be told.
                self._vigil.judge(troubles, self._clock())
                untold = "; ".join(f"{one.kind}: {one.text}" for one in self._held) or "nothing"
                told = "health: store %s: %s; what holds and cannot be told: %s"
                log.error(told, self._store.url, reason(error), untold)

    def held(self) -> tuple[Condition, ...]:
        """What holds, the worst first."""
        return self._held

    def is_well(self) -> bool:
        """Whether nothing critical holds, and somebody has looked lately."""
        looked_s = time.monotonic() - self._looked_at_s
        every_s = self._current.config.health.look_every_s
        return is_ready(self._held) and looked_s < max(60.0, 6 * every_s)

    def readiness(self) -> dict[str, Any]:
        """What `/readyz` answers."""
        told = [
            {
                "condition": one.kind,
                "about": one.subject,
                "severity": one.severity.label,
                "since": iso(one.since_s),
                "text": one.text,
                "what_to_do": RULES[one.kind].advice,
                "explained_by": one.explained_by,
            }
            for one in self._held
        ]
        well = self.is_well()
        reasons = [f"{one.kind}: {one.text}" for one in self._held if not is_ready([one])]
        if not well and not reasons:
            reasons = ["health: nobody has looked for a while"]
        return {"ready": well, "reasons": reasons, "conditions": told}

    def is_alive(self) -> bool:
        """Whether the worker's loop turns and no other thread has ended; else a restart helps.

        Against a store that does not answer none helps, so what it holds up counts as alive.
        """
        kinds = {one.kind for one in self._held}
        hangs = self._pulse.rested_s() > self._current.config.health.worker_s
        return "thread" not in kinds and ("store" in kinds or not hangs)

    def _probed(self, now_s: float) -> Iterator[Trouble]:
        for probe in self.probes:
            try:
                yield from probe(now_s)
            except Exception as error:
                # One that fails must not blind the others. Only the type is said.
                name = f"{type(probe).__name__}: unexpected {type(error).__name__}"
                if name not in self._reported:
                    self._reported.add(name)
                    log.error("health: %s", name)

    def _read(self, now_s: float) -> _Found:
        with self._store.read() as ledger:
            before = [] if self._resumed else conditions.open_now(ledger, self._process)
            return _Found(
                list(ledger_troubles(ledger, self._current.config.health, now_s)),
                [kept.condition for kept in before if kept.kind in RULES],
            )

    def _resume(self, before: Sequence[Condition], now_s: float) -> None:
        """Take over what held before a restart."""
        for condition in before:
            self._vigil.resume(condition, now_s)
            self._kept[condition.key] = condition
        self._resumed = True

    def _keep(self, held: Mapping[Key, Condition], now_s: float) -> None:
        begun = [one for key, one in held.items() if key not in self._kept]
        over = [one for key, one in self._kept.items() if key not in held]
        changed = [
            one
            for key, one in held.items()
            if key in self._kept and one.explained_by != self._kept[key].explained_by
        ]
        says = bool(held) and now_s - self._said_at_s >= _SAY_EVERY_S
        tidies = now_s - self._orphans_at_s >= _ORPHANS_EVERY_S
        if not (begun or over or changed or says or tidies):
            return
        with self._store.ledger() as ledger:
            for one in begun:
                conditions.begin(ledger, one, self._scope(one), self._receivers, now_s)
            for one in changed:
                conditions.follow(ledger, one, self._scope(one), self._receivers, now_s)
            for one in over:
                conditions.end(ledger, one, self._scope(one), self._receivers, now_s)
            conditions.seen(ledger, self._process, now_s)
            if tidies:
                conditions.end_orphans(ledger, self._receivers, now_s)
        self._kept = dict(held)
        self._said_at_s = now_s
        self._orphans_at_s = now_s if tidies else self._orphans_at_s
        if begun or over or changed or tidies:
            self._wake()

    def _scope(self, condition: Condition) -> str:
        return "" if RULES[condition.kind].shared else self._process
