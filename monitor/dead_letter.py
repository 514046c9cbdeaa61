"""What does not validate is kept with its reason and its place, and never stops the consumer.

`put` takes a letter, `flush` makes all of them durable. The worker flushes before a checkpoint
passes their offsets, so none is lost; after a crash some are kept twice.
"""

import base64
import contextlib
import json
import os
from collections.abc import Sequence
from itertools import accumulate, takewhile
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Protocol

from monitor import kafka_client
from monitor.config import Config, state_dir
from monitor.config_source import KafkaConfig
from monitor.errors import TripswitchError
from monitor.kafka_client import Delivery, KafkaError, MessageTooLargeErrors, Producer
from monitor.sources.lines import end_of_last_line
from monitor.sources.log_file import log_path
from monitor.sources.rotation import REJECTED

MAX_WAITING_BYTES: Final = 16 * 1024 * 1024
"""So much is held in memory at most before a `put` flushes by itself."""
PART_BYTES: Final = 1024 * 1024
"""So much is made durable at a time: where that is slow, what was done is not done again."""
MAX_TOPIC_BYTES: Final = 16 * 1024 * 1024
"""The largest record that a dead letter topic of our making takes."""
CUT_TO_BYTES: Final = 512 * 1024
"""To what larger records are cut where the topic was made by others and takes less."""
_BATCH_BYTES: Final = 128 * 1024
"""Of small letters so much goes in one request; well below what a topic takes by default."""
_ENVELOPE_BYTES: Final = 256
"""What a letter takes beside its record and its reason."""


class DeadLetterError(TripswitchError):
    """Dead letters are not durable yet. They are kept in memory; the next flush tries again."""


class DeadLetter(NamedTuple):
    """One refused record: where it stood, why it was refused, and its bytes as they were."""

    source: str
    partition: int
    offset: int
    reason: str
    raw: bytes | None
    at: float
    """When it was refused, in seconds since the epoch."""
    kind: Literal["malformed", "impostor"] = "malformed"
    """No event, or an event from who may not speak for its agent."""


class DeadLetters(Protocol):
    """Where refused records go."""

    def put(self, letter: DeadLetter) -> None:
        """Take a letter.

        Raises
        ------
        DeadLetterError
            If too many wait and cannot be made durable. The letter was taken all the same: do not
            put it again, but read no further until `flush` succeeds.
        """
        ...

    def flush(self) -> None:
        """Make every letter taken so far durable.

        Raises
        ------
        DeadLetterError
            If one could not be; the message says where and what to do.
        """
        ...

    def close(self) -> None:
        """Release connections. Does not flush."""
        ...


def open_dead_letters(config: Config) -> DeadLetters:
    """The dead letters that belong to the configured source.

    Raises
    ------
    DeadLetterError
        If they could not be kept there.
    """
    if config.source.kind == "kafka":
        return KafkaDeadLetters(config.kafka)
    if config.source.kind == "stdin":
        return FileDeadLetters(state_dir() / f"stdin{REJECTED}.jsonl")
    return FileDeadLetters(log_path(config.source).with_suffix(f"{REJECTED}.jsonl"))


class _Waiting:
    """Letters in memory until `_keep` has made them durable."""

    def __init__(self) -> None:
        self._letters: list[DeadLetter] = []
        self._bytes = 0

    def put(self, letter: DeadLetter) -> None:
        """See `DeadLetters.put`."""
        self._letters.append(letter)
        self._bytes += _size_bytes(letter)
        if self._bytes > MAX_WAITING_BYTES:
            self.flush()

    def flush(self) -> None:
        """See `DeadLetters.flush`."""
        while part := self._oldest():
            self._keep(part)
            del self._letters[: len(part)]
            self._bytes -= sum(map(_size_bytes, part))

    def _oldest(self) -> Sequence[DeadLetter]:
        """Those that are made durable next: `PART_BYTES` or one that is larger."""
        total = accumulate(map(_size_bytes, self._letters))
        count = sum(1 for _ in takewhile(lambda so_far: so_far <= PART_BYTES, total))
        return self._letters[: max(1, count)]

    def _keep(self, letters: Sequence[DeadLetter]) -> None:
        """Make all of them durable, or raise DeadLetterError."""
        raise NotImplementedError


class FileDeadLetters(_Waiting):
    """A JSONL file, one object a line; opened for each flush, so it may be rotated at any time."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(self._open())
        except OSError as error:
            raise self._error(error) from None

    def close(self) -> None:
        """See `DeadLetters.close`."""

    def _keep(self, letters: Sequence[DeadLetter]) -> None:
        data = b"".join(json.dumps(_document(letter)).encode() + b"\n" for letter in letters)
        try:
            fd = self._open()
            try:
                _append(fd, data)
            finally:
                os.close(fd)
        except OSError as error:
            raise self._error(error) from None

    def _open(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _error(self, error: OSError) -> DeadLetterError:
        return DeadLetterError(
            f"dead letter {self._path}: {error.strerror}; refused records wait in memory and "
            "reading stops until it can be written"
        )


class KafkaDeadLetters(_Waiting):
    """The topic `kafka.dead_letter_topic`: the raw bytes, with the reason and place as headers."""

    def __init__(self, config: KafkaConfig) -> None:
        super().__init__()
        self._config = config
        self._topic = config.dead_letter_topic
        self._producer: Producer | None = None
        self._limit_bytes = MAX_TOPIC_BYTES - 64 * 1024  # for key, headers and the batch's own
        try:
            kafka_client.ensure_topic(
                self._topic,
                1,
                config,
                compacted=False,
                settings={"max.message.bytes": str(MAX_TOPIC_BYTES)},
            )
        except kafka_client.KafkaClientError as error:
            raise DeadLetterError(f"dead letter: {error}") from None

    def close(self) -> None:
        """See `DeadLetters.close`."""
        if self._producer is not None:
            with contextlib.suppress(KafkaError):  # what it still had waits with us
                self._producer.close(timeout=self._config.request_timeout_s)
            self._producer = None

    def _keep(self, letters: Sequence[DeadLetter]) -> None:
        try:
            try:
                self._deliver(letters)
            except MessageTooLargeErrors:
                self.close()  # an idempotent producer that was refused takes nothing more
                self._limit_bytes = CUT_TO_BYTES
                self._deliver(letters)
        except (KafkaError, kafka_client.KafkaClientError) as error:
            self.close()
            reason = (
                kafka_client.explain(error, self._config, f"topic {self._topic}")
                if isinstance(error, KafkaError)
                else str(error)
            )
            raise DeadLetterError(
                f"dead letter: {reason}; refused records wait in memory and reading stops until "
                "they are taken"
            ) from None

    def _deliver(self, letters: Sequence[DeadLetter]) -> None:
        if self._producer is None:
            self._producer = kafka_client.make_producer(
                self._config, max_request_size=MAX_TOPIC_BYTES, batch_size=_BATCH_BYTES
            )
        producer = self._producer
        for delivery in [self._send(producer, letter) for letter in letters]:
            delivery.get(timeout=2 * self._config.request_timeout_s)

    def _send(self, producer: Producer, letter: DeadLetter) -> Delivery:
        place = f"{letter.source}/{letter.partition}/{letter.offset}"
        headers = {
            "kind": letter.kind,
            "reason": letter.reason,
            "source": letter.source,
            "partition": str(letter.partition),
            "offset": str(letter.offset),
            "at": str(letter.at),
            "bytes": str(len(letter.raw or b"")),  # more than the value has: it was cut
        }
        return producer.send(
            self._topic,
            value=letter.raw and letter.raw[: self._limit_bytes],
            key=place.encode(),
            headers=[(name, text.encode(errors="replace")) for name, text in headers.items()],
        )


def _append(fd: int, data: bytes) -> None:
    """Write whole lines to the end of a file, durably: all of them or none."""
    good = end_of_last_line(fd)  # behind it may be half a line of a run that was killed
    try:
        os.ftruncate(fd, good)
        written = 0
        while written < len(data):
            written += os.pwrite(fd, data[written:], good + written)
        os.fsync(fd)
    except OSError:
        with contextlib.suppress(OSError):  # the next flush cuts it off again
            os.ftruncate(fd, good)
        raise


def _size_bytes(letter: DeadLetter) -> int:
    return len(letter.raw or b"") + len(letter.reason) + _ENVELOPE_BYTES


def _document(letter: DeadLetter) -> dict[str, Any]:
    document = letter._asdict()
    raw = document.pop("raw")
    try:
        return {**document, "raw": raw if raw is None else raw.decode()}
    except UnicodeDecodeError:
        return {**document, "raw_base64": base64.b64encode(raw).decode()}
