"""Settings of where events come from, and of how Kafka is reached."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from monitor.config_map import FieldMaps, Scalar, check_fields, segments
from monitor.config_routes import Texts
from monitor.config_section import Seconds, Section


class SourceConfig(Section):
    """Where events come from."""

    kind: Literal["log", "kafka", "stdin"] = "log"
    """`log`: a JSONL file followed as `tail -F` does; `kafka`; `stdin`."""
    path: Path | None = None
    """The event log for `log`; by default `events.jsonl` in the state directory. Example:
    `"/var/log/agents/events.jsonl"`"""
    topic: str = "agent-actions"
    """The topic that `kafka` reads, keyed by agent id."""
    topics: Texts = ()
    """Several of them, each keyed by agent id; where there are any, `topic` is not read. Example:
    `["agent-actions", "tool-calls"]`"""
    client: Literal["kafka-python", "confluent"] = "kafka-python"
    """Which library reads `kafka`: confluent comes with `tripswitch[fast]` and takes less time."""
    start: Literal["earliest", "latest"] = "earliest"
    """Where to begin where nothing was read before: earliest or latest."""
    map: FieldMaps = Field(default_factory=dict)
    """Makes events of messages that are none: for each field a path, or a table of path, value, as,
    say and otherwise; `tripswitch map test` tries it. Example: `{ agent_id = "actor.id", time = {
    path = "at", as = "unix_ms" }, action = { value = "tool_call" }, tool = "call.name" }`"""
    only: dict[str, tuple[Scalar, ...]] = Field(default_factory=dict)
    """With a map: by path, the values of the messages that are actions; others are passed over.
    Example: `{ type = ["tool_call"] }`"""

    @property
    def read_topics(self) -> tuple[str, ...]:
        """The topics that `kafka` reads."""
        return self.topics or (self.topic,)

    @model_validator(mode="after")
    def _topics_are_named_once(self) -> Self:
        if len(set(self.topics)) < len(self.topics):
            raise ValueError("topics names one twice; name each once")
        return self

    @model_validator(mode="after")
    def _map_makes_events(self) -> Self:
        check_fields(self.map)
        if self.only and not self.map:
            raise ValueError("only goes with a map")
        for path in self.only:
            segments(path)
        return self


class KafkaConfig(Section):
    """How to reach Kafka. Used by the source, the dead letter and the revocations topic."""

    bootstrap_servers: str | None = None
    """Some of the brokers, as host:port with commas between; the others are told by them. Example:
    `"broker-1:9092,broker-2:9092"`"""
    group_id: str = "tripswitch"
    """Processes of one group share the topic's partitions. With another name the position is kept:
    it is in the store."""
    group_instance_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")] | None = None
    """Makes this process a static member, by a name of its own in the group: when it is back within
    `session_timeout_s`, nobody else's partitions moved. Example: `"tripswitch-0"`"""
    client_id: str = "tripswitch"
    """How the brokers name us in their logs and quotas."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL, as the brokers' listener has it."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    """PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. Example: `"SCRAM-SHA-512"`"""
    sasl_username: str | None = None
    """Whom the brokers know us as. Example: `"tripswitch"`"""
    sasl_password: SecretStr | None = None
    """The password of that user."""
    sasl_password_file: Path | None = None
    """A file that holds it. Example: `"/run/secrets/kafka"`"""
    ssl_cafile: Path | None = None
    """Who signed the brokers' certificates; by default whom the system trusts. Example:
    `"/etc/tripswitch/ca.pem"`"""
    ssl_certfile: Path | None = None
    """Our certificate, where brokers ask for one … Example: `"/etc/tripswitch/client.pem"`"""
    ssl_keyfile: Path | None = None
    """… and its key. Example: `"/etc/tripswitch/client.key"`"""
    ssl_password: SecretStr | None = None
    """What the key is encrypted with."""
    ssl_password_file: Path | None = None
    """A file that holds it. Example: `"/run/secrets/client-key"`"""
    ssl_check_hostname: bool = True
    """Whether a broker's certificate must be for the name that it is reached by."""
    dead_letter_topic: str = "tripswitch-dead-letters"
    """Where what is no event goes, with the reason and its place."""
    revocations_topic: str = "tripswitch-revocations"
    """Where gateways that follow a topic hear of revocations; compacted, keyed by agent."""
    audit_topic: str = "tripswitch-audit-heads"
    """Where the heads of the audit's chain are published, for `audit verify --published`."""
    request_timeout_s: Seconds = 10.0
    """How long an answer of a broker is waited for."""
    session_timeout_s: Seconds = 10.0
    """How long after its death a member's partitions go to another one."""
