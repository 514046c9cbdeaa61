"""A sample: the last messages of the source, and what would become of them."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from alerting.render import clean
from baselines.event import ActionEvent, EventError
from monitor import kafka_client
from monitor.checkup.verdict import Verdict, failed, ok, warning
from monitor.config import Config
from monitor.errors import TripswitchError
from monitor.kafka_client import KafkaClientError, KafkaError
from monitor.mapping import Parse, parser
from monitor.producers import Headers, ImpostorError, Producers, open_producers
from monitor.sources.log_file import log_path
from monitor.sources.partition import partition_for

SIZE: Final = 100
_READ_FOR_S: Final = 10.0
_TAIL_BYTES: Final = 4 << 20
_MAX_REASONS: Final = 10
_WANTED: Final = ("tool", "target", "trace_id", "role", "status")
"""Fields without which much cannot be seen."""


class Message(NamedTuple):
    """One message as it stands in the source; a log has neither keys nor partitions to speak of."""

    raw: bytes
    taken_in_s: float | None
    key: bytes | None = None
    partition: int = 0
    partitions: int = 1
    source: str = ""
    headers: Headers = ()


def check_sample(config: Config) -> Iterator[Verdict]:
    """Read the last messages and say what would be refused, and what could not be seen."""
    about = "sample"
    try:
        producers = open_producers(config)
        messages = _of_topics(config) if config.source.kind == "kafka" else _of_log(config)
    except TripswitchError as error:
        yield failed(about, str(error), "the source has to be readable first")
        return
    if not messages:
        yield warning(about, "the source is empty", "produce a message, then try again")
        return
    yield from judge(messages, parser(config.source), producers)


def judge(
    messages: Sequence[Message], parse: Parse, producers: Producers | None = None
) -> Iterator[Verdict]:
    """What becomes of messages."""
    reasons: Counter[str] = Counter()
    impostors: Counter[str] = Counter()
    events: list[tuple[Message, ActionEvent]] = []
    passed = 0
    for message in messages:
        try:
            event = parse(message.raw, message.taken_in_s, message.key)
            if event is not None and producers is not None:
                producers.vet(message.source, event.agent_id, message.raw, message.headers)
        except EventError as error:
            counted = impostors if isinstance(error, ImpostorError) else reasons
            counted[_kind(str(error))] += 1
            continue
        if event is None:
            passed += 1
        else:
            events.append((message, event))
    over = f", {passed} passed over" if passed else ""
    refused = reasons.total() + impostors.total()
    yield ok("sample", f"{len(messages)} messages: {len(events)} events{over}, {refused} refused")
    for reason, count in reasons.most_common(_MAX_REASONS):
        yield failed(
            "sample",
            f"{count} refused: {clean(reason, 400)}",
            "mend the producer, or map the fields by [source.map]; try that with "
            "`tripswitch map test`",
        )
    for reason, count in impostors.most_common(_MAX_REASONS):
        yield failed(
            "sample producers",
            f"{count} refused: {clean(reason, 400)}",
            "let the producer sign with a key of [[producers.keys]], or list it under "
            "[[producers]]; if nobody knows it, it speaks in another's name",
        )
    if events:
        yield from _check_places(events)
        yield from _check_fields([event for _, event in events])


def _check_places(events: Sequence[tuple[Message, ActionEvent]]) -> Iterator[Verdict]:
    elsewhere = [
        (message, event)
        for message, event in events
        if partition_for(event.agent_id, message.partitions) != message.partition
    ]
    if not elsewhere:
        return
    message, event = elsewhere[0]
    key = "no key"
    if message.key is not None:
        key = f"key {clean(message.key.decode('utf-8', 'replace'), 60)!r}"
    if all(one.key == of.agent_id.encode() for one, of in elsewhere):
        advice = (
            "they are keyed by agent, but placed by another partitioner: set the producer's to "
            "murmur2 (librdkafka: partitioner=murmur2_random)"
        )
    else:
        advice = (
            "key the producer's records by agent_id: an agent whose events are spread over "
            "partitions has a half-learned profile in each"
        )
    many = f"{len(elsewhere)} of {len(events)} events are in another partition than their agent's"
    text = f"{many}, such as agent {clean(event.agent_id, 60)!r} under {key}"
    yield warning("sample keys", text, advice)


def _check_fields(events: Sequence[ActionEvent]) -> Iterator[Verdict]:
    missing = [
        name for name in _WANTED if not any(name in event.model_fields_set for event in events)
    ]
    if missing:
        yield warning(
            "sample fields",
            f"no event has {', '.join(missing)}",
            "report or map them, if producers know them: what is not told cannot be judged",
        )


def _kind(reason: str) -> str:
    """A reason without what it quotes of one message, so that equal faults count together."""
    return reason.partition(" (got ")[0]


def _of_log(config: Config) -> list[Message]:
    path = log_path(config.source)
    if not path.exists():
        return []
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            lines = [line for line in file.read(_TAIL_BYTES).split(b"\n") if line.strip()]
    except OSError as error:
        raise TripswitchError(
            f"event log {path}: {error.strerror}; let this user read it, or set source.path"
        ) from None
    return [Message(line, time.time(), source=str(path)) for line in lines[-SIZE:]]


def _of_topics(config: Config) -> list[Message]:
    topics, timeout_ms = config.source.read_topics, config.kafka.request_timeout_s * 1000
    reader = kafka_client.make_reader(config.kafka)
    try:
        numbers = {topic: reader.partitions_for_topic(topic) or set() for topic in topics}
        places = [
            kafka_client.partition(topic, number)
            for topic, of_topic in numbers.items()
            for number in sorted(of_topic)
        ]
        if not places:
            return []
        first = reader.beginning_offsets(places, timeout_ms)
        ends = reader.end_offsets(places, timeout_ms)
        reader.assign(places)
        for place in places:
            reader.seek(place, max(first[place], ends[place] - SIZE))
        found = []
        until_s = time.monotonic() + _READ_FOR_S
        while time.monotonic() < until_s and any(
            reader.position(place) < ends[place] for place in places
        ):
            for place, records in reader.poll(500).items():
                found += [(record, place) for record in records]
    except KafkaError as error:
        said = kafka_client.explain(error, config.kafka, f"topic {', '.join(topics)}")
        raise KafkaClientError(said) from None
    finally:
        reader.close(autocommit=False, timeout_ms=1000)
    newest = sorted(found, key=lambda one: one[0].timestamp)[-SIZE:]
    return [
        Message(
            record.value or b"",
            record.timestamp / 1000,
            record.key,
            place.partition,
            len(numbers[place.topic]),
            place.topic,
            record.headers,
        )
        for record, place in newest
    ]
