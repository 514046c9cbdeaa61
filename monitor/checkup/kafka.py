"""Kafka: brokers, topics with their rights and settings, the group."""

from collections.abc import Iterator
from typing import Final

from monitor.checkup.verdict import Verdict, failed, ok, warning
from monitor.config import Config
from monitor.config_receivers import KafkaReceiverConfig
from monitor.kafka_client import KafkaClientError
from monitor.kafka_topics import Topic, describe, may_join

_DAY_MS: Final = 86_400_000


def check_kafka(config: Config) -> Iterator[Verdict]:
    """Try everything that is asked of Kafka."""
    kafka = config.kafka
    sources = config.source.read_topics if config.source.kind == "kafka" else ()
    written = {
        kafka.revocations_topic: "compact",
        kafka.audit_topic: "delete",
        **({kafka.dead_letter_topic: "delete"} if sources else {}),
        **{one.topic: "delete" for one in config.receivers if isinstance(one, KafkaReceiverConfig)},
    }
    about = f"kafka {kafka.bootstrap_servers}"
    try:
        topics = describe(kafka, [*sources, *written])
        refused = may_join(kafka) if sources else None
    except KafkaClientError as error:
        yield failed(about, str(error), "nothing else of Kafka could be tried")
        return
    yield ok(about, "answers")
    for source in sources:
        yield from _check_source(source, topics.get(source))
    if sources:
        group = f"group {kafka.group_id}"
        if refused:
            yield failed(group, refused, "grant READ on the group, or set kafka.group_id")
        else:
            yield ok(group, "may be joined")
    for name, policy in written.items():
        yield _check_own(name, topics.get(name), policy)
    audit = topics.get(kafka.audit_topic)
    if audit and audit.settings.get("retention.ms", "-1") != "-1":
        yield warning(
            f"topic {audit.name}",
            "forgets the published heads of the audit after a while",
            f"kafka-configs.sh --alter --topic {audit.name} --add-config retention.ms=-1",
        )


def _check_source(name: str, topic: Topic | None) -> Iterator[Verdict]:
    about = f"topic {name}"
    if topic is None:
        yield failed(
            about,
            "does not exist, or we may not see it",
            f"create it (kafka-topics.sh --create --topic {name} --partitions 4), set "
            "source.topic, or grant DESCRIBE and READ",
        )
        return
    if topic.rights is not None and "READ" not in topic.rights:
        yield failed(about, "may not be read", "grant READ on it by Kafka's ACLs")
        return
    many = f"{topic.partitions} partition{'s' if topic.partitions > 1 else ''}"
    yield ok(about, f"{many}: at most so many processes read it")
    settings = topic.settings
    if "compact" in settings.get("cleanup.policy", ""):
        yield warning(
            about,
            "is compacted: of each agent only the last action is kept for those who read late",
            "set cleanup.policy=delete",
        )
    keeps_ms = int(settings.get("retention.ms", "-1"))
    if 0 <= keeps_ms < _DAY_MS:
        yield warning(
            about,
            f"keeps records for {keeps_ms / 3_600_000:g} h; what is deleted before it was read is "
            "never judged",
            "set retention.ms to at least the longest outage that you expect, such as 604800000",
        )
    if settings.get("message.timestamp.type") == "CreateTime":
        yield warning(
            about,
            "has producers' own timestamps: a clock that is off cannot be told from a delay, and "
            "who is cut off could backdate what it does",
            "set message.timestamp.type=LogAppendTime",
        )


def _check_own(name: str, topic: Topic | None, policy: str) -> Verdict:
    """A topic that is written to, and made where it does not exist."""
    about = f"topic {name}"
    if topic is None:
        return warning(
            about,
            "does not exist yet; it is made when it is needed, if we may",
            f"nothing, if we may create topics; else create it with cleanup.policy={policy}, and "
            "grant DESCRIBE and WRITE",
        )
    if topic.rights is not None and "WRITE" not in topic.rights:
        return failed(about, "may not be written to", "grant WRITE on it by Kafka's ACLs")
    cleanup = topic.settings.get("cleanup.policy", policy)
    if policy not in cleanup:
        return failed(
            about,
            f"has cleanup.policy={cleanup}",
            f"kafka-configs.sh --alter --topic {name} --add-config cleanup.policy={policy}",
        )
    return ok(about, "may be written to")
