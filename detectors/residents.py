"""Residents: the profiles of a shard that are in memory, those of agents that act and the others.

A profile as objects takes ten times the memory of its plain data, compressed. So only those of
agents that act are held as objects, `awake`; of the others, packed, a million fit into 2 GB.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, MutableMapping
from typing import Final

from baselines.packed import Packed, pack, unpack
from baselines.profile import Profile
from baselines.rules import Rules

MAX_AWAKE: Final = 5_000
MIN_AWAKE: Final = 32
"""So few take no room to speak of, and are never packed because they rest."""
RESTS_AFTER_S: Final = 600.0
"""An agent that has not acted for so long is not expected at once."""
_AT_ONCE: Final = 2
"""So many are packed after an event; at most one comes with it, so none are left over."""


class Residents(MutableMapping[str, Profile]):
    """Profiles by agent; the order is that in which they were last asked for, packed ones first.

    Only `settle` packs: who holds a profile may change it until then.

    Parameters
    ----------
    rules
        By which packed profiles are unpacked.

    Attributes
    ----------
    max_awake
        Of more than so many the one that has waited for longest is packed.
    """

    __slots__ = ("_awake", "_packed", "_unsaved", "max_awake", "rules")

    def __init__(self, rules: Rules, max_awake: int = MAX_AWAKE) -> None:
        self.rules = rules
        self.max_awake = max_awake
        self._awake: OrderedDict[str, Profile] = OrderedDict()
        self._packed: dict[str, bytes] = {}
        self._unsaved: dict[str, Packed] = {}

    @property
    def awake(self) -> int:
        """How many are not packed."""
        return len(self._awake)

    def wake(self, agent_id: str) -> Profile | None:
        """The profile of an agent that acts, to be read and changed; None if it is not here."""
        awake = self._awake
        profile = awake.get(agent_id)
        if profile is not None:
            awake.move_to_end(agent_id)
            return profile
        body = self._packed.get(agent_id)
        if body is None:
            return None
        profile = awake[agent_id] = unpack(body, self.rules)
        self._drop(agent_id)
        return profile

    def peek(self, agent_id: str) -> Profile:
        """The profile of an agent, only to be read: a packed one stays so."""
        profile = self._awake.get(agent_id)
        return unpack(self._packed[agent_id], self.rules) if profile is None else profile

    def packed(self, agent_id: str) -> Packed:
        """The profile of an agent as it is stored; what was kept for that is given away."""
        unsaved = self._unsaved.pop(agent_id, None)
        return pack(self.peek(agent_id)) if unsaved is None else unsaved

    def settle(self, watermark_s: float, awaits_saving: Callable[[str], bool]) -> None:
        """Pack what is too much, and whose agents rest.

        Parameters
        ----------
        watermark_s
            Event time of the shard, in seconds since the epoch.
        awaits_saving
            Whether an agent's profile is still to be `packed` for a checkpoint, which then need
            not unpack it.
        """
        awake, rested_s = self._awake, watermark_s - RESTS_AFTER_S
        for _ in range(_AT_ONCE):
            if len(awake) <= min(MIN_AWAKE, self.max_awake):
                return
            agent_id, profile = next(iter(awake.items()))
            # Its own clock may be behind the others'.
            rests = profile.last_seen_s + profile.lag_s <= rested_s
            if not rests and len(awake) <= self.max_awake:
                return
            try:
                packed = pack(profile)
            except Exception:  # its next checkpoint will tell; others' events must not fail for it
                awake.move_to_end(agent_id)
                return
            self._packed[agent_id] = packed.body
            if awaits_saving(agent_id):
                self._unsaved[agent_id] = packed
            del awake[agent_id]

    def __getitem__(self, agent_id: str) -> Profile:
        profile = self.wake(agent_id)
        if profile is None:
            raise KeyError(agent_id)
        return profile

    def __setitem__(self, agent_id: str, profile: Profile) -> None:
        self._drop(agent_id)
        self._awake[agent_id] = profile

    def __delitem__(self, agent_id: str) -> None:
        if not self._drop(agent_id):
            del self._awake[agent_id]

    def _drop(self, agent_id: str) -> bool:
        self._unsaved.pop(agent_id, None)
        return self._packed.pop(agent_id, None) is not None

    def __contains__(self, agent_id: object) -> bool:
        return agent_id in self._awake or agent_id in self._packed

    def __iter__(self) -> Iterator[str]:
        return iter([*self._packed, *self._awake])

    def __len__(self) -> int:
        return len(self._awake) + len(self._packed)
