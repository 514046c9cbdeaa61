"""Sources: where records come from, behind one small protocol.

The worker polls from one thread and owns the offsets; a source only reads, and says which
partitions came and went. No source ever commits for the worker.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from monitor.errors import TripswitchError


class SourceError(TripswitchError):
    """A source cannot be read; the message names it and what to do."""


class SourceAwayError(SourceError):
    """A source does not answer for now; asked again later, it may."""


class Record(Protocol):
    """One record as the source holds it; kafka-python's `ConsumerRecord` is one as it is."""

    @property
    def offset(self) -> int:
        """Its place in the partition."""

    @property
    def timestamp(self) -> int:
        """When the log took it in, in milliseconds since the epoch."""

    @property
    def value(self) -> bytes | None:
        """The bytes; None for a Kafka tombstone."""


class Part(NamedTuple):
    """What the store keeps a shard by: a topic and a partition of it, or a log and 0."""

    source: str
    partition: int


class Chunk(NamedTuple):
    """Consecutive records of one partition, and the offset to go on from after all of them.

    Partitions are numbered within a source; which one it is elsewhere, `Source.part` says.
    """

    partition: int
    records: Sequence[Record]
    next_offset: int


class Place(NamedTuple):
    """Where to go on reading, as a checkpoint keeps it.

    `notes` are the source's own, plain JSON, such as which file a log offset is about.
    """

    next_offset: int
    notes: Mapping[str, Any]


class Gone(NamedTuple):
    """Records that were deleted before they were read: how many, and which the last were."""

    records: int = 0
    last: str = ""


class Changes(NamedTuple):
    """Partitions that came or went; one that was lost and came back is in both lists."""

    lost: Sequence[int]
    assigned: Sequence[int]


class Whole:
    """What a source is alike that nobody hands out in parts: one daemon reads it."""

    gone = Gone()

    def is_ours(self, partition: int) -> bool:
        """Nobody says so: the latest claim decides."""
        del partition
        return False


class Source(Protocol):
    """A partitioned log that is read from one thread.

    Attributes
    ----------
    name
        Topics or absolute path, for people to read.
    gone
        What was gone before it was read, since the start.
    """

    name: str
    gone: Gone

    def poll(self, timeout_s: float) -> list[Chunk]:
        """Wait at most `timeout_s` for records of partitions that were started.

        Raises
        ------
        SourceError
            If the source cannot be read and waiting would not help, such as a wrong password.
        """
        ...

    def take_changes(self) -> Changes:
        """What changed since the last call; of what was assigned nothing is polled yet."""
        ...

    def is_ours(self, partition: int) -> bool:
        """Whether who hands out partitions has it so by now; False where nobody does."""
        ...

    def start(self, partition: int, place: Place | None) -> int:
        """Begin reading a partition at `place`, or where the config says if it has none.

        Returns
        -------
        int
            The offset that it begins at. Who gave no place saves it before anything is read, so
            that a restart begins there again and not at a later end.

        Raises
        ------
        SourceError
            If the source cannot say where that is; SourceAwayError: not for now.
        """
        ...

    def hold(self, held: bool) -> None:
        """While held, `poll` keeps the membership alive and returns nothing."""
        ...

    def notes(self, partition: int) -> Mapping[str, Any]:
        """The notes that belong to the `next_offset` of the partition's last polled chunk."""
        ...

    def commit(self, next_offsets: Mapping[int, int]) -> None:
        """Tell the outside how far we are. Advisory: a failure is logged, never raised."""
        ...

    def end_offset(self, partition: int) -> int:
        """The offset that the next record of the partition will get."""
        ...

    def part(self, partition: int) -> Part:
        """Which partition of which topic that is; as keys in the store are, so it is stable."""
        ...

    def partitions_of(self, agent_id: str) -> Sequence[int]:
        """Where an agent's events may be, keyed as the contract says: one in each topic."""
        ...

    def exhausted(self) -> bool:
        """Whether no record can ever come again, such as standard input at its end."""
        ...

    def describe(self, partition: int, offset: int) -> str:
        """An offset in words that a person can look up."""
        ...

    def close(self) -> None:
        """Leave the group, close files."""
        ...
