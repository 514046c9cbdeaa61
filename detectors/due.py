"""Due times: when each agent of a shard would be missed, if it does not act before."""

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush


class DueTimes:
    """An index of (due time, agent), apart from the profiles, which may have left memory.

    A time is worked out when an agent is first waited for and again when it comes, never when
    the agent acts: an agent that acted meanwhile is then simply due later. So at most one entry
    an agent, and no work per event.
    """

    __slots__ = ("_heap",)

    def __init__(self, due: Iterable[tuple[float, str]] = ()) -> None:
        self._heap = list(due)
        heapify(self._heap)

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, due_s: float, agent_id: str) -> None:
        """Wait for an agent that is not waited for."""
        heappush(self._heap, (due_s, agent_id))

    def take(self, watermark_s: float) -> Iterator[str]:
        """Take out the agents whose time has come, the earliest first.

        What is added on the way must lie beyond the watermark.
        """
        heap = self._heap
        while heap and heap[0][0] <= watermark_s:
            yield heappop(heap)[1]

    def by(self, time_s: float) -> list[str]:
        """The agents whose time will have come by then, in no order; they stay."""
        heap, look_at, found = self._heap, [0], []
        while look_at:
            at = look_at.pop()
            if at < len(heap) and heap[at][0] <= time_s:
                found.append(heap[at][1])
                look_at += (2 * at + 1, 2 * at + 2)  # no entry is before the one above it
        return found
