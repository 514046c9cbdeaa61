"""Decoding: records become events, or dead letters with reason and place."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from baselines.event import ActionEvent, EventError
from monitor.dead_letter import DeadLetter
from monitor.mapping import Parse
from monitor.producers import ImpostorError, Producers
from monitor.sources import Record

Decoded = tuple[ActionEvent, bytes, int, float]
"""An event, the bytes it was read from, its offset, and when the log took it in (seconds)."""


@dataclass(slots=True)
class Decoder:
    """Makes events of records.

    Parameters
    ----------
    mapped
        Makes an event of a record that is none as it is; None: they are.
    producers
        Who may speak for which agent; None: everybody may.
    """

    mapped: Parse | None = None
    producers: Producers | None = None

    def decode(
        self, source: str, partition: int, records: Sequence[Record]
    ) -> tuple[list[Decoded], list[DeadLetter]]:
        """Parse each record by itself, so that a bad one spoils no other.

        Parameters
        ----------
        source, partition
            Where the records are from.
        records
            Consecutive ones.
        """
        events: list[Decoded] = []
        refused: list[DeadLetter] = []
        parse, mapped, producers = ActionEvent.parse, self.mapped, self.producers
        for record in records:
            raw, log_s = record.value or b"", record.timestamp / 1000
            try:
                if mapped is None:
                    event = parse(raw, log_s)
                elif (made := mapped(raw, log_s, getattr(record, "key", None))) is not None:
                    event = made
                else:
                    continue
                if producers is not None:
                    producers.vet(source, event.agent_id, raw, getattr(record, "headers", ()))
            except EventError as error:
                letter = DeadLetter(
                    source, partition, record.offset, str(error), raw, time.time(),
                    "impostor" if isinstance(error, ImpostorError) else "malformed",
                )  # fmt: skip
                refused.append(letter)
            else:
                events.append((event, raw, record.offset, log_s))
        return events, refused
