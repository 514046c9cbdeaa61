"""Decoding: records become events, or dead letters with reason and place."""

import time
from collections.abc import Sequence

from baselines.event import ActionEvent, EventError
from monitor.dead_letter import DeadLetter
from monitor.mapping import Parse
from monitor.sources import Record

Decoded = tuple[ActionEvent, bytes, int, float]
"""An event, the bytes it was read from, its offset, and when the log took it in (seconds)."""


def decode(
    source: str, partition: int, records: Sequence[Record], mapped: Parse | None = None
) -> tuple[list[Decoded], list[DeadLetter]]:
    """Parse each record by itself, so that a bad one spoils no other.

    Parameters
    ----------
    source, partition
        Where the records are from, for the dead letters.
    records
        Consecutive ones.
    mapped
        Makes an event of a record that is none as it is.
    """
    events: list[Decoded] = []
    refused: list[DeadLetter] = []
    parse = ActionEvent.parse
    for record in records:
        raw, log_s = record.value or b"", record.timestamp / 1000
        try:
            if mapped is None:
                events.append((parse(raw, log_s), raw, record.offset, log_s))
            elif (event := mapped(raw, log_s, getattr(record, "key", None))) is not None:
                events.append((event, raw, record.offset, log_s))
        except EventError as error:
            letter = (source, partition, record.offset, str(error), raw, time.time())
            refused.append(DeadLetter(*letter))
    return events, refused
