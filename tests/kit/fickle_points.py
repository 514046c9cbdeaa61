"""Enforcement points that fail at random, together: a gateway, a command, and the Kafka topic."""

import json
import sys
from collections import defaultdict
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from tests.kit import fickle_command
from tests.kit.broker import Broker, create_topic
from tests.kit.fickle_gateway import FickleGateway
from tests.kit.revocations import read_topic

STATES: Final = {"revoke": "revoked", "restore": "active"}
"""What an order of each direction asks for."""
SECRET_VARIABLE: Final = "CHAOS_SECRET"

_POINTS: Final = """
[trip]
point_timeout_s = 1

[[points]]
kind = "webhook"
name = "gateway"
url = "{gateway}"
secret_variable = "{secret_variable}"
revoke = {{ path = "/agents/$agent_id/block" }}
restore = {{ path = "/agents/$agent_id/unblock" }}
verify = {{ path = "/agents/$agent_id", field = "agent.state", revoked = ["revoked"] }}

[[points]]
kind = "command"
name = "script"
revoke = {command}
restore = {command}
"""
_KAFKA: Final = """
[kafka]
bootstrap_servers = "{servers}"
revocations_topic = "{topic}"
"""


class FicklePoints:
    """What each point was told, and took.

    Parameters
    ----------
    directory
        For the settings and for what the command writes.
    seed
        Of everything that goes wrong.
    broken
        Agents for whom the gateway never does anything.

    Attributes
    ----------
    plain, kafka
        Files of settings: with gateway and command, and with the topic besides.
    """

    def __init__(self, directory: Path, kafka: Broker, seed: str, broken: Collection[str]) -> None:
        self.gateway = FickleGateway(seed, broken)
        self._script = directory / "script"
        self._script.mkdir()
        self._servers = kafka.bootstrap_servers
        self._topic = create_topic(kafka, 1)  # not compacted: every record is looked at
        command = [sys.executable, "-I", "-S", fickle_command.__file__, str(self._script), seed]
        points = _POINTS.format(
            gateway=self.gateway.url,
            command=json.dumps(command),
            secret_variable=SECRET_VARIABLE,
        )
        topic = _KAFKA.format(servers=self._servers, topic=self._topic)
        self.plain, self.kafka = directory / "plain.toml", directory / "kafka.toml"
        self.plain.write_text(points)
        self.kafka.write_text(points + topic)

    def calm(self) -> None:
        """Fail no more, but for the agents that are broken."""
        self.gateway.calm = True
        (self._script / fickle_command.CALM).touch()

    def close(self) -> None:
        """End the gateway."""
        self.gateway.close()

    def obeyed(self, point: str, agent: str) -> dict[int, set[str]]:
        """The orders that took effect, by number, and the states that each asked for."""
        if point == "gateway":
            return self.gateway.obeyed.get(agent, {})
        if point == "script":
            told = fickle_command.obeyed(self._script, agent)
            return {seq: {STATES[d] for d in directions} for seq, directions in told.items()}
        found: dict[int, set[str]] = {}
        for record in self._records.get(agent, ()):
            if record["order_seq"] >= max(found, default=0):  # as those who follow the topic do
                found.setdefault(record["order_seq"], set()).add(record["state"])
        return found

    @cached_property
    def _records(self) -> dict[str, list[dict[str, Any]]]:
        """The topic when all is over, by agent."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for record in read_topic(self._servers, self._topic):
            found[record["key"]].append(record)
        return found
