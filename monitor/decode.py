"""Decoding: the records of a chunk become events, or dead letters with reason and place."""

import time

from baselines.event import ActionEvent, EventError
from monitor.dead_letter import DeadLetter
from monitor.sources import Chunk

Decoded = tuple[ActionEvent, bytes, int, float]
"""An event, the bytes it was read from, its offset, and when the log took it in (seconds)."""


def decode(source: str, chunk: Chunk) -> tuple[list[Decoded], list[DeadLetter]]:
    """Parse each record by itself, so that a bad one spoils no other.

    Parameters
    ----------
    source
        Name of the source, for the dead letters.
    chunk
        What a poll returned of one partition.
    """
    events: list[Decoded] = []
    refused: list[DeadLetter] = []
    parse = ActionEvent.parse
    for record in chunk.records:
        raw, log_s = record.value or b"", record.timestamp / 1000
        try:
            events.append((parse(raw, log_s), raw, record.offset, log_s))
        except EventError as error:
            letter = (source, chunk.partition, record.offset, str(error), raw, time.time())
            refused.append(DeadLetter(*letter))
    return events, refused
