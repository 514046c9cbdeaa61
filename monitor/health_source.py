"""Whether a source moves: how far its end is, asked beside the worker, and how long pauses are."""

import contextlib
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from monitor import kafka_client
from monitor.config import Config
from monitor.config_source import KafkaConfig
from monitor.kafka_client import Consumer, KafkaClientError, KafkaError
from monitor.sources import Source, SourceError
from monitor.sources.lines import READ_BYTES
from monitor.sources.log_file import GENERATION_BYTES, LogFileSource
from monitor.sources.topics import Topics

_POLL_S: Final = 2.0
_DAY_S: Final = 86_400.0
_DAYS: Final = 14
_WEEK_DAYS: Final = 7
_LEAST_S: Final = 1800.0
_TIMES: Final = 3.0


class Ends(Protocol):
    """Asks how far a source reaches, from another thread than the worker's."""

    unit: str

    def ask(self, partitions: Collection[int]) -> Mapping[int, int]:
        """The offset behind the last record of each partition.

        Raises
        ------
        SourceError
            If the source does not say.
        """
        ...

    def has_more(self, partition: int, offset: int) -> bool:
        """Whether a record is there to be read; offsets alone may count what is none."""
        ...

    def close(self) -> None:
        """Release the connection."""
        ...


def open_ends(config: Config, source: Source) -> Ends | None:
    """What asks about this source; None where there is no end to be known."""
    if config.source.kind == "kafka":
        return KafkaEnds(config.kafka, config.source.read_topics)
    return LogEnds(source) if isinstance(source, LogFileSource) else None


class KafkaEnds:
    """Implements `Ends` with a connection of its own."""

    unit = "records"

    def __init__(self, kafka: KafkaConfig, topics: Sequence[str]) -> None:
        self._kafka = kafka
        self._topics = Topics(topics)
        self._reader: Consumer | None = None

    def ask(self, partitions: Collection[int]) -> Mapping[int, int]:
        """See `Ends.ask`."""
        places = [self._topics.partition(number) for number in partitions]
        if not places:
            return {}
        try:
            if self._reader is None:
                self._reader = kafka_client.make_reader(self._kafka)
            ends = self._reader.end_offsets(places, self._kafka.request_timeout_s * 1000)
        except KafkaError as error:
            self.close()
            said = kafka_client.explain(error, self._kafka, f"topic {self._topics}")
            raise SourceError(said) from None
        except KafkaClientError as error:
            raise SourceError(str(error)) from None
        return {self._topics.number(place): end for place, end in ends.items()}

    def has_more(self, partition: int, offset: int) -> bool:
        """See `Ends.has_more`: markers of transactions have offsets, and are no records."""
        if self._reader is None:
            return True
        there = self._topics.partition(partition)
        try:
            self._reader.assign([there])
            self._reader.seek(there, offset)
            until_s = time.monotonic() + _POLL_S
            while time.monotonic() < until_s:
                if self._reader.poll(_POLL_S * 100):
                    return True
        except KafkaError:
            return True
        return False

    def close(self) -> None:
        """See `Ends.close`."""
        if self._reader is not None:
            with contextlib.suppress(KafkaError):
                self._reader.close(autocommit=False, timeout_ms=1000)
            self._reader = None


class LogEnds:
    """Implements `Ends` for an event log."""

    unit = "bytes"

    def __init__(self, source: LogFileSource) -> None:
        self._source = source

    def ask(self, partitions: Collection[int]) -> Mapping[int, int]:
        """See `Ends.ask`; across a rotation it is not known how much there is."""
        return {number: self._source.end_offset(number) for number in partitions}

    def has_more(self, partition: int, offset: int) -> bool:
        """See `Ends.has_more`: a log that was begun anew has; else blank lines are no records."""
        end = self._source.end_offset(partition)
        if end // GENERATION_BYTES != offset // GENERATION_BYTES:
            return True
        try:
            with Path(self._source.name).open("rb") as file:
                file.seek(offset % GENERATION_BYTES)
                return bool(file.read(READ_BYTES).strip())
        except OSError:
            return True

    def close(self) -> None:
        """See `Ends.close`."""


class Pauses:
    """How long no record came, at the longest, on each of the last two weeks' days."""

    def __init__(self) -> None:
        self._longest: deque[float] = deque(maxlen=_DAYS)
        self._day = -1
        self._moved_at_s: float | None = None

    def see(self, moved: bool, now_s: float) -> float:
        """Take in whether records came since the last call; for how long there was none by now."""
        if self._moved_at_s is None:
            self._moved_at_s = now_s
        pause_s = now_s - self._moved_at_s
        if moved:
            day = int(now_s // _DAY_S)
            if day != self._day:
                self._day = day
                self._longest.append(0.0)
            self._longest[-1] = max(self._longest[-1], pause_s)
            self._moved_at_s = now_s
        return pause_s

    def usual_s(self) -> float | None:
        """Longer than this is unusual, in seconds; None before a week is known."""
        if len(self._longest) < _WEEK_DAYS:
            return None
        return max(_LEAST_S, _TIMES * max(self._longest))
