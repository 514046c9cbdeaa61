"""A stream in which much is odd, late, out of order, sent twice, or no event at all."""

import random
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from tests.kit.stream import odd_stream

POISON: Final = (
    b"",
    b"{",
    b"null",
    b"[" * 500,
    b"\xff\xfe" * 40,
    b'{"agent_id": "agent-1"}',
    b'{"event_id": "e", "time": "yesterday", "agent_id": "agent-1", "action": "x"}',
    b'{"event_id": "e", "time": "2026-02-02T00:00:00Z", "agent_id": 7, "action": "x"}',
    b'{"event_id": "e", "time": "9999-02-02T00:00:00Z", "agent_id": "agent-1", "action": "x"}',
    b'"' + b"x" * 20_000 + b'"',
)
"""What no event is made of."""
_LATE: Final = 0.01
_TWICE: Final = 0.02
_SWAPPED: Final = 0.03
_POISONED: Final = 0.01
_LATE_BY: Final = 40


def fault_stream(chance: random.Random, events: int, agents: int) -> Iterator[bytes]:
    """Lines as producers send them that try again, wait for a network, and make mistakes."""
    lines = odd_stream(events, agents, seed=chance.randrange(2**32))
    for number in range(len(lines) - 1):
        if chance.random() < _SWAPPED:
            lines[number : number + 2] = reversed(lines[number : number + 2])
    held: defaultdict[int, list[bytes]] = defaultdict(list)
    for number, line in enumerate(lines):
        yield from held.pop(number, ())
        is_late = chance.random() < _LATE
        if is_late or chance.random() < _TWICE:
            held[number + chance.randrange(1, _LATE_BY)].append(line)
        if not is_late:
            yield line
        if chance.random() < _POISONED:
            yield chance.choice(POISON)
    for rest in held.values():
        yield from rest
