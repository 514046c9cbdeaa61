"""Where simulated events go: a file, standard output, or a Kafka topic."""

import sys
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from monitor.config_source import KafkaConfig
from monitor.errors import TripswitchError
from monitor.kafka_client import Delivery, KafkaError, explain, make_producer, partition_count

_UNCONFIRMED_MAX: Final = 10_000
_LINGER_MS: Final = 20
"""How long the producer gathers a batch; a load test sends ten times as much with it."""


class SinkError(TripswitchError):
    """Events cannot be written; the message says where and why."""


class Sink(Protocol):
    """Takes records in order."""

    def write(self, agent_id: str, record: bytes) -> None:
        """Take one record, keyed by its agent.

        Raises
        ------
        SinkError
            If it cannot be written.
        """
        ...

    def flush(self) -> None:
        """Return once everything taken so far can be read by others.

        Raises
        ------
        SinkError
            If something could not be written.
        """
        ...

    def close(self) -> None:
        """Flush and let go.

        Raises
        ------
        SinkError
            If something could not be written.
        """
        ...


class FileSink:
    """One record a line in a file; None is standard output.

    Raises
    ------
    SinkError
        If the file cannot be opened.
    """

    def __init__(self, path: Path | None, *, append: bool = False) -> None:
        self._name = "standard output" if path is None else str(path)
        self._is_stdout = path is None
        try:
            self._file: BinaryIO = (
                sys.stdout.buffer if path is None else path.open("ab" if append else "wb")
            )
        except OSError as error:
            raise self._error(error) from None

    def write(self, agent_id: str, record: bytes) -> None:
        """Take one record."""
        del agent_id
        try:
            self._file.write(record + b"\n")
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._error(error) from None

    def flush(self) -> None:
        """Hand everything to the operating system."""
        try:
            self._file.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._error(error) from None

    def close(self) -> None:
        """Flush, and close what was opened here."""
        if self._is_stdout:
            return self.flush()
        try:
            self._file.close()
        except OSError as error:
            raise self._error(error) from None

    def _error(self, error: OSError) -> SinkError:
        return SinkError(f"{self._name}: {error.strerror}; nothing after this was written")


class KafkaSink:
    """A Kafka topic, keyed by agent, so that an agent stays in one partition.

    Raises
    ------
    SinkError
        If the topic does not exist; a misspelt name must not become a topic.
    KafkaClientError
        If Kafka cannot be reached.
    """

    def __init__(self, config: KafkaConfig, topic: str) -> None:
        self._config = config
        self._topic = topic
        self._unconfirmed: list[Delivery] = []
        if partition_count(config, topic) == 0:
            raise SinkError(
                f"Kafka at {config.bootstrap_servers}: topic {topic} does not exist; create it, "
                "or name another as source.topic"
            )
        self._producer = make_producer(config, linger_ms=_LINGER_MS)

    def write(self, agent_id: str, record: bytes) -> None:
        """Take one record; every ten thousand are waited for."""
        try:
            self._unconfirmed.append(
                self._producer.send(self._topic, value=record, key=agent_id.encode())
            )
        except KafkaError as error:
            raise self._error(error) from None
        if len(self._unconfirmed) >= _UNCONFIRMED_MAX:
            self.flush()

    def flush(self) -> None:
        """Wait until every record is acknowledged."""
        unconfirmed, self._unconfirmed = self._unconfirmed, []
        try:
            self._producer.flush(timeout=self._config.request_timeout_s)
            for delivery in unconfirmed:
                delivery.get(timeout=self._config.request_timeout_s)
        except KafkaError as error:
            raise self._error(error) from None

    def close(self) -> None:
        """Flush and disconnect."""
        try:
            self.flush()
        finally:
            self._producer.close(timeout=self._config.request_timeout_s)

    def _error(self, error: Exception) -> SinkError:
        return SinkError(explain(error, self._config, f"topic {self._topic}"))
