"""Topics: the partitions of several topics, each under one number."""

from collections.abc import Sequence
from typing import Final

from monitor import kafka_client
from monitor.kafka_client import Partition

_STRIDE: Final = 1_000_000
"""More partitions than a topic has; those of the first topic keep their own numbers."""


class Topics:
    """Numbers partitions, in the order in which the topics are named.

    Parameters
    ----------
    names
        Of the topics; at least one.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._first = {name: index * _STRIDE for index, name in enumerate(names)}

    def __str__(self) -> str:
        return ", ".join(self.names)

    def number(self, there: Partition) -> int:
        """The number of a partition."""
        return self._first[there.topic] + there.partition

    def partition(self, number: int) -> Partition:
        """The partition of a number."""
        index, partition = divmod(number, _STRIDE)
        return kafka_client.partition(self.names[index], partition)
