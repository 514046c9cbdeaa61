"""Recent: which events of an agent were seen lately, by checksum."""

from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Final, Literal
from zlib import crc32

REMEMBERED_EVENTS: Final = 32
"""A repeat of an event is recognised among so many last events of its agent."""
_KEY: Final = 4
_PAIR: Final = 8
_PAIRS: Final = Struct(">II")


class Recent:
    """Checksums of the latest ids, oldest first, each with that of what came under it.

    By checksum: this is against producers that send twice, not against those that lie, who would
    rather not send at all. One row of bytes, for every agent has it.
    """

    __slots__ = ("_row",)

    def __init__(self) -> None:
        self._row = b""

    def take(self, event_id: str, raw: bytes) -> Literal["new", "repeat", "changed"]:
        """Whether this event was seen lately: not, just so, or with other content; now it was."""
        key, content = crc32(event_id.encode()), crc32(raw)
        row, pair = self._row, _pair(key, content)
        at = row.find(pair[:_KEY])
        while at > 0 and at % _PAIR:  # no id begins there
            at = row.find(pair[:_KEY], at + 1)
        if at < 0:
            self._row = row[_PAIR if len(row) >= _PAIR * REMEMBERED_EVENTS else 0 :] + pair
            return "new"
        if row.startswith(pair, at):
            return "repeat"
        self._row = row[:at] + pair + row[at + _PAIR :]
        return "changed"

    def dump(self) -> list[tuple[int, int]]:
        """Plain data; `load` makes the same of it."""
        return list(_PAIRS.iter_unpack(self._row))

    @classmethod
    def load(cls, data: Iterable[Sequence[int]]) -> "Recent":
        """Undo `dump`."""
        recent = cls()
        recent._row = b"".join(_pair(key, content) for key, content in data)
        return recent


def _pair(key: int, content: int) -> bytes:
    return (key << 32 | content).to_bytes(_PAIR, "big")
