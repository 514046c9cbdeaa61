"""A snapshot: the profiles of a shard as they stood at one place of the log, put down by and by."""

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from baselines.profile import Profile

KeptT = TypeVar("KeptT")


class Snapshot(Generic[KeptT]):
    """Profiles that are put down one by one while their shard goes on.

    One that is about to change is put down first, so that all are as they were in the beginning.

    Parameters
    ----------
    profiles
        By agent; must stay in memory until what was put down is stored.
    put_down
        Makes of a profile what is kept of it, which later changes do not reach.

    Attributes
    ----------
    agent_ids
        Whose profiles they are.
    kept
        What was put down so far.
    """

    __slots__ = ("_put_down", "_waiting", "agent_ids", "kept")

    def __init__(
        self, profiles: Mapping[str, Profile], put_down: Callable[[Profile], KeptT]
    ) -> None:
        self.agent_ids = frozenset(profiles)
        self.kept: list[KeptT] = []
        self._waiting = dict(profiles)
        self._put_down = put_down

    @property
    def is_whole(self) -> bool:
        """Whether all are put down."""
        return not self._waiting

    def before_change(self, agent_id: str) -> None:
        """Put a profile down that is about to change, if it is one that waits."""
        profile = self._waiting.pop(agent_id, None)
        if profile is not None:
            self.kept.append(self._put_down(profile))

    def put_down(self) -> Iterator[None]:
        """Put down what waits, one at each turn."""
        while self._waiting:
            _, profile = self._waiting.popitem()
            self.kept.append(self._put_down(profile))
            yield
