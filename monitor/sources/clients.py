"""Which library reads Kafka."""

from monitor.config_source import KafkaConfig, SourceConfig
from monitor.sources.confluent import ConfluentSource
from monitor.sources.group import GroupSource
from monitor.sources.kafka import KafkaSource


def kafka_source(source: SourceConfig, kafka: KafkaConfig) -> GroupSource:
    """The topics, read by the library that `source.client` names.

    Raises
    ------
    SourceError
        If they cannot be read, or the library is not installed.
    """
    if source.client == "confluent":
        return ConfluentSource(source, kafka)
    return KafkaSource(source, kafka)
