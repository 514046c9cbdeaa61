"""Heads of the audit's chain on Kafka, where whoever can rewrite the database cannot reach them.

Inside the store a chain that was made anew, head and all, looks whole. So the daemon publishes
every head that it sees: key `store_id`, value JSON with `store_id`, `entries`, `hash` and `at`.
The topic must keep everything and let nobody else write; then each published head is compared with
the entry of that number.
"""

import contextlib
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Connection, select

from monitor import kafka_client
from monitor.config_source import KafkaConfig
from monitor.kafka_client import KafkaClientError, KafkaError, Producer
from monitor.ledger import audit_read
from monitor.store import Store
from monitor.store.schema import audit

_TOPIC: Final = {"retention.ms": "-1", "retention.bytes": "-1"}
_HEADS_AT_ONCE: Final = 500
_POLL_MS: Final = 200

log = logging.getLogger(__name__)


class PublishedHead(BaseModel):
    """What a record of the topic says."""

    model_config = ConfigDict(frozen=True, strict=True)

    store_id: str
    entries: int = Field(ge=1)
    hash: str
    at: str
    """When it was published, as RFC 3339."""


class Compared(NamedTuple):
    """What the published heads say of the chain.

    Attributes
    ----------
    fault
        The first entry that is not the published one; None if none is.
    heads
        How many heads of this store were read.
    unreadable
        Records under this store's key that are no heads.
    """

    fault: str | None
    heads: int
    unreadable: int


class Publisher:
    """Publishes the head when it has changed; what fails is tried again by the next call."""

    def __init__(self, store: Store, config: KafkaConfig) -> None:
        self._store = store
        self._config = config
        self._producer: Producer | None = None
        self._published: str | None = None
        self.failing: str | None = None
        """Why the last head is not published; None if it is."""

    def publish(self) -> bool:
        """Publish the head unless it was the last one; whether there was something to publish.

        Raises
        ------
        sqlalchemy.exc.DBAPIError
            If the store cannot be read.
        """
        with self._store.snapshot() as ledger:
            head, store_id = audit_read.head(ledger), audit_read.store_id(ledger)
        if head is None or store_id is None or not head.entries or head.hash == self._published:
            return False
        now = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
        value = PublishedHead(store_id=store_id, entries=head.entries, hash=head.hash, at=now)
        try:
            self._send(store_id.encode(), value.model_dump_json().encode())
        except (KafkaError, KafkaClientError) as error:
            self.close()
            if self.failing is None:  # said once, not every time
                log.error("the audit's head is not published: %s", self._explain(error))
            self.failing = self._explain(error)
            return True
        if self.failing is not None:
            log.info("the audit's head is published again, up to entry %d", head.entries)
        self.failing, self._published = None, head.hash
        return True

    def close(self) -> None:
        """Release the connection."""
        if self._producer is not None:
            with contextlib.suppress(KafkaError):
                self._producer.close(timeout=self._config.request_timeout_s)
            self._producer = None

    def _send(self, key: bytes, value: bytes) -> None:
        if self._producer is None:
            kafka_client.ensure_topic(
                self._config.audit_topic, 1, self._config, compacted=False, settings=_TOPIC
            )
            self._producer = kafka_client.make_producer(self._config)
        sent = self._producer.send(self._config.audit_topic, value=value, key=key)
        sent.get(timeout=2 * self._config.request_timeout_s)

    def _explain(self, error: Exception) -> str:
        if isinstance(error, KafkaClientError):
            return str(error)
        return kafka_client.explain(error, self._config, f"topic {self._config.audit_topic}")


def compare(store: Store, config: KafkaConfig) -> Compared:
    """Compare every head that was published of this store with its chain.

    Raises
    ------
    KafkaClientError
        If the topic cannot be read.
    """
    reader = _Reader(config)
    try:
        # The chain is read after the topic's end: of what is published it must have all.
        with store.snapshot() as ledger:
            store_id = audit_read.store_id(ledger)
            if store_id is None:
                return Compared("there is no chain to compare with what was published", 0, 0)
            return _compare(ledger, reader, store_id, config.audit_topic)
    except KafkaError as error:
        said = kafka_client.explain(error, config, f"topic {config.audit_topic}")
        raise KafkaClientError(said) from None
    finally:
        reader.close()


def _compare(connection: Connection, reader: "_Reader", store_id: str, topic: str) -> Compared:
    first: PublishedHead | None = None
    is_missing = False
    heads = unreadable = 0
    values = reader.values(store_id.encode())
    while some := list(islice(values, _HEADS_AT_ONCE)):
        known = [head for value in some if (head := _head(value, store_id)) is not None]
        unreadable += len(some) - len(known)
        heads += len(known)
        numbers = {head.entries for head in known}
        query = select(audit.c.seq, audit.c.hash).where(audit.c.seq.in_(numbers))
        in_chain = {row.seq: row.hash for row in connection.execute(query)}
        for head in known:
            is_other = in_chain.get(head.entries) != head.hash
            if is_other and (first is None or head.entries < first.entries):
                first, is_missing = head, head.entries not in in_chain
    if first is not None:
        how = "is missing; it" if is_missing else "is not the one that"
        said = f"entry {first.entries} {how} was published on {first.at:.40}"
        return Compared(said, heads, unreadable)
    fault = None if heads else f"no head of this chain ({store_id:.40}) is on topic {topic}"
    return Compared(fault, heads, unreadable)


def _head(value: bytes | None, store_id: str) -> PublishedHead | None:
    try:
        head = PublishedHead.model_validate_json(value or b"")
    except ValidationError:
        return None
    return head if head.store_id == store_id else None


class _Reader:
    """Reads the topic from its beginning to what was its end when this was made."""

    def __init__(self, config: KafkaConfig) -> None:
        self._topic = config.audit_topic
        self._where = f"Kafka at {config.bootstrap_servers}"
        self._limit_s = config.request_timeout_s
        partitions = [
            kafka_client.partition(self._topic, number)
            for number in range(kafka_client.partition_count(config, self._topic))
        ]
        if not partitions:
            raise KafkaClientError(
                f"{self._where} has no topic {self._topic!r}: the daemon makes it with the first "
                "head; see kafka.audit_topic"
            )
        self._consumer = kafka_client.make_reader(config)
        self._consumer.assign(partitions)
        timeout_ms = self._limit_s * 1000
        self._ends = self._consumer.end_offsets(partitions, timeout_ms)
        for place, first in self._consumer.beginning_offsets(partitions, timeout_ms).items():
            self._consumer.seek(place, first)

    def values(self, key: bytes) -> Iterator[bytes | None]:
        """The values under a key."""
        waited_until = time.monotonic() + self._limit_s
        while any(self._consumer.position(place) < end for place, end in self._ends.items()):
            for records in self._consumer.poll(_POLL_MS).values():
                waited_until = time.monotonic() + self._limit_s
                yield from (record.value for record in records if record.key == key)
            if time.monotonic() > waited_until:
                raise KafkaClientError(
                    f"{self._where}: topic {self._topic} gave no record for {self._limit_s:g} s"
                )

    def close(self) -> None:
        """Release the connection."""
        with contextlib.suppress(KafkaError):
            self._consumer.close(autocommit=False, timeout_ms=self._limit_s * 1000)
