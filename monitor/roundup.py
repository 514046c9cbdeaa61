"""The roundup: carries out orders about a role or about every agent, and those that turn up.

An order about many is a hold in the ledger (`monitor.ledger.holds`). Whoever confirmed it does
the work at once; the daemon takes up what a crash left, and what its worker sees meanwhile.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import TYPE_CHECKING, Final

from monitor.ledger import agents, hold, holds
from monitor.ledger.hold import Hold
from monitor.store import Store, inventory

if TYPE_CHECKING:  # orders about many agents need not wait for River
    from baselines.profile import Profile

PAGE: Final = 1000
"""So many agents become members in one transaction."""


class Roundup:
    """Makes agents members of the holds that are on, cuts them off, and gives them back.

    `see` is for the worker's thread; all else is for one other.

    Parameters
    ----------
    store
        Where holds and agents are.
    points, receivers
        What a trip drives, and who is told.

    Attributes
    ----------
    holds
        Those that are on, as of the last look; nearly always none.
    """

    def __init__(self, store: Store, points: Sequence[str], receivers: Sequence[str]) -> None:
        self.holds: Sequence[Hold] = ()
        self._store = store
        self._points = points
        self._receivers = receivers
        self._met: dict[str, dict[str, bool]] = {}
        """By hold and agent that was seen under it: whether it is a member by now."""

    def see(self, profiles: Iterable["Profile"]) -> None:
        """Note who acts while holds are on."""
        holds_on = self.holds
        for profile in profiles:
            for one in holds_on:
                if one.role is None or one.role == profile.role:
                    self._met.setdefault(one.hold_id, {}).setdefault(profile.agent_id, False)

    def look(self, for_s: float = inf) -> bool:
        """Do what holds have left to do, for so long; tells whether anything was ordered.

        Raises
        ------
        sqlalchemy.exc.DBAPIError
            If the store cannot be used; nothing is lost by that.
        """
        with self._store.read() as ledger:
            open_holds = hold.unfinished(ledger)
        now_on = [one for one in open_holds if one.lifted_at is None]
        for one in now_on:
            if one.hold_id not in self._met:  # known agents once; later ones as they act
                self._met.setdefault(one.hold_id, {})
                self._enrol_known(one)
        self._met = {one.hold_id: self._met[one.hold_id] for one in now_on}
        self.holds = now_on
        deadline_s = time.monotonic() + for_s
        ordered = [self.carry_out(one, deadline_s) for one in open_holds]
        return any(ordered)

    def carry_out(self, one: Hold, deadline_s: float = inf) -> int:
        """Cut off, or give back, every member that waits for it; returns how many there were."""
        self._enrol_met(one.hold_id)
        done = 0
        while time.monotonic() < deadline_s and self._waits(one.hold_id):
            done += self._batch(one.hold_id)
        return done

    def begin(self, one: Hold) -> int:
        """Carry a new hold out: first every agent that is known is refused, then cut off."""
        self._enrol_known(one)
        return self.carry_out(one)

    def _enrol_known(self, one: Hold) -> None:
        for agent_ids in known_agents(self._store, one.role):
            with self._store.ledger() as ledger:
                holds.enrol(ledger, one.hold_id, agent_ids)

    def _enrol_met(self, hold_id: str) -> None:
        met = self._met.get(hold_id, {})
        new = [agent_id for agent_id, is_member in list(met.items()) if not is_member]
        for start in range(0, len(new), PAGE):
            with self._store.ledger() as ledger:
                holds.enrol(ledger, hold_id, new[start : start + PAGE])
            met.update(dict.fromkeys(new[start : start + PAGE], True))

    def _waits(self, hold_id: str) -> bool:
        with self._store.read() as ledger:
            return hold.has_work(ledger, hold_id)

    def _batch(self, hold_id: str) -> int:
        with self._store.ledger() as ledger:
            if hold.get(ledger, hold_id).lifted_at is not None:  # by now, perhaps by somebody else
                return holds.give_back(
                    ledger, hold_id, receivers=self._receivers, now_s=time.time()
                )
            return holds.cut_off(
                ledger,
                hold_id,
                points=self._points,
                receivers=self._receivers,
                now_s=time.time(),
            )


def known_agents(store: Store, role: str | None) -> Iterator[Sequence[str]]:
    """Every agent of a role that the state store knows, a page at a time; or every agent at all.

    Those are agents with a profile, and for all, whoever was ever granted or ordered anything,
    too; one may come twice.
    """
    after = ""
    while True:
        with store.read_state() as state:
            page = inventory.ids(state, role=role, after=after, limit=PAGE)
        if not page:
            break
        yield page
        after = page[-1]
    after = ""
    while role is None:
        with store.read() as ledger:
            page = agents.ids(ledger, after=after, limit=PAGE)
        if not page:
            break
        yield page
        after = page[-1]
