import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.cluster import ClusterMetadata  # type: ignore[import-untyped]
from kafka.partitioner import DefaultPartitioner  # type: ignore[import-untyped]

from monitor.sources.partition import partition_for

# From the tests of Kafka's own Java client (UtilsTest.testMurmur2).
JAVA_MURMUR2 = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}


@pytest.mark.parametrize(("key", "hashed"), JAVA_MURMUR2.items())
@pytest.mark.parametrize("partitions", [1, 4, 7, 1000])
def test_a_key_lies_where_kafkas_java_client_puts_it(
    key: str, hashed: int, partitions: int
) -> None:
    assert partition_for(key, partitions) == (hashed & 0x7FFFFFFF) % partitions


class Topic(ClusterMetadata):  # type: ignore[misc]
    """Metadata of one topic, `t`."""

    def __init__(self, partitions: int) -> None:
        super().__init__()
        self._count = partitions

    def topics(self) -> set[str]:
        return {"t"}

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return set(range(self._count))

    available_partitions_for_topic = partitions_for_topic


@given(agent_id=st.text(min_size=1, max_size=40), partitions=st.integers(1, 64))
def test_any_agent_lies_where_the_default_partitioner_puts_it(
    agent_id: str, partitions: int
) -> None:
    key = agent_id.encode()
    expected = DefaultPartitioner().partition("t", agent_id, key, b"", b"", Topic(partitions))
    assert partition_for(agent_id, partitions) == expected
