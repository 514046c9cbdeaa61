"""Where Kafka puts an agent's events."""

from functools import lru_cache

from monitor.kafka_client import key_hash


@lru_cache(maxsize=65_536)  # pure Python, and asked for every event of a replay
def partition_for(agent_id: str, partitions: int) -> int:
    """The partition that Kafka's default partitioner gives to a record keyed by `agent_id`.

    Parameters
    ----------
    agent_id
        The record's key; hashed as UTF-8 with murmur2.
    partitions
        How many partitions the topic has.
    """
    return key_hash(agent_id.encode()) % partitions
