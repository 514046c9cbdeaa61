"""A snapshot: the profiles of a shard as they stood at one place of the log, put down by and by."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from baselines.packed import Packed

_FREED_AT_ONCE: Final = 500


class Snapshot:
    """Profiles that are put down one by one while their shard goes on.

    One that is about to change is put down first, so that all are as they were in the beginning.

    Parameters
    ----------
    agent_ids
        Whose profiles; they must stay in memory until what was put down is stored.
    pack
        Packs one of them as it is.

    Attributes
    ----------
    agent_ids
        As they were given.
    kept
        What was put down so far.
    """

    __slots__ = ("_pack", "_waiting", "agent_ids", "kept")

    def __init__(self, agent_ids: Iterable[str], pack: Callable[[str], Packed]) -> None:
        self.agent_ids = frozenset(agent_ids)
        self.kept: list[Packed] = []
        self._waiting = set(self.agent_ids)
        self._pack = pack

    @property
    def is_whole(self) -> bool:
        """Whether all are put down."""
        return not self._waiting

    def awaits(self, agent_id: str) -> bool:
        """Whether a profile is one that is still to be put down."""
        return agent_id in self._waiting

    def before_change(self, agent_id: str) -> None:
        """Put a profile down that is about to change, if it is one that waits."""
        if agent_id in self._waiting:
            self._waiting.remove(agent_id)
            self._keep(agent_id)

    def put_down(self) -> Iterator[None]:
        """Put down what waits, one at each turn."""
        while self._waiting:
            self._keep(self._waiting.pop())
            yield

    def clear(self) -> None:
        """Let go of what was put down, once it is stored.

        A little at a time: to free all of it at once would hold up every thread meanwhile.
        """
        while self.kept:
            del self.kept[-_FREED_AT_ONCE:]

    def _keep(self, agent_id: str) -> None:
        try:
            self.kept.append(self._pack(agent_id))
        except BaseException:
            self._waiting.add(agent_id)  # or the checkpoint would pass it over
            raise
