"""The audit's chain as a pure thing: what an entry is, its hash, and what is wrong with a chain.

The hash of an entry is the SHA-256 of the canonical JSON (sorted keys, no spaces, ASCII) of the
list of its `COLUMNS`, `facts` being canonical JSON itself. What the chain has of a detail is the
SHA-256 of `SALT:CONTENT`. A detail may be missing if a later entry of the chain, an erasure, names
it; so whoever reads a chain needs the erasures first.
"""

import hashlib
import json
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

GENESIS: Final = "0" * 64
"""What the first entry has as the hash of the one before."""
PARTS: Final = ("actor", "subject", "text")
"""The details of an entry, each with a salted digest in the chain."""
ERASED_BY_ORDER: Final = "details erased"
ERASED_BY_AGE: Final = "details outlived their retention"
ERASURES: Final = (ERASED_BY_ORDER, ERASED_BY_AGE)
"""Actions of entries whose facts name, as `erased`, what was erased: part, then ranges."""
COLUMNS: Final = (
    "seq",
    "at",
    "action",
    "facts",
    "actor_digest",
    "subject_digest",
    "text_digest",
    "prev_hash",
)


class Detail(NamedTuple):
    """What may be personal in an entry, one part of it."""

    salt: str
    content: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry with those of its details that are there.

    Attributes
    ----------
    at
        In seconds since the epoch.
    facts
        As they were written: canonical JSON.
    digests, details
        By part. A digest for each; a detail where it was not erased.
    """

    seq: int
    at: float
    action: str
    facts: str
    digests: Mapping[str, str]
    prev_hash: str
    hash: str
    details: Mapping[str, Detail]

    def columns(self) -> dict[str, Any]:
        """What the hash is made of, by name."""
        return {
            "seq": self.seq,
            "at": self.at,
            "action": self.action,
            "facts": self.facts,
            **{f"{part}_digest": self.digests[part] for part in PARTS},
            "prev_hash": self.prev_hash,
        }


class Range(NamedTuple):
    """Entries `first` to `last`, both included, of which a part was erased by entry `by`."""

    first: int
    last: int
    by: int


class Erasures:
    """What was erased, as the erasures of a chain name it.

    Parameters
    ----------
    entries
        The erasures: sequence number and facts of each. What cannot be read names nothing.
    """

    def __init__(self, entries: Iterable[tuple[int, str]]) -> None:
        self._ranges: dict[str, list[Range]] = {part: [] for part in PARTS}
        for seq, facts in entries:
            for part, ranges in _named(facts).items():
                # an erasure can name what was there before it, and nothing else
                self._ranges[part] += [Range(first, min(last, seq - 1), seq)
                                       for first, last in ranges]  # fmt: skip
        for found in self._ranges.values():
            found.sort()

    def by(self, seq: int, part: str) -> int | None:
        """Which entry says that this part of entry `seq` was erased."""
        ranges = self._ranges[part]
        place = bisect_right(ranges, seq, key=lambda found: found.first) - 1
        if place < 0 or ranges[place].last < seq:
            return None
        return ranges[place].by


class Chain:
    """Takes entries in order and says what is wrong with the first that is.

    Parameters
    ----------
    erasures
        Those of the whole chain.
    first_seq, prev_hash
        Where it begins.
    """

    def __init__(
        self,
        erasures: Erasures,
        *,
        first_seq: int = 1,
        prev_hash: str = GENESIS,
    ) -> None:
        self._erasures = erasures
        self.next_seq = first_seq
        self.hash = prev_hash

    def fault(self, entry: Entry, elsewhere: Collection[str] = ()) -> str | None:
        """What is wrong with the next entry; None if nothing is.

        Parameters
        ----------
        entry
            The next one.
        elsewhere
            Parts whose erasure stands beyond what is looked at, where only a part of a chain is.
        """
        seq = entry.seq
        if seq < 1:
            return f"entry {seq} was added before the first"
        if seq < self.next_seq:
            return f"entry {seq} is there twice"
        if seq > self.next_seq:
            return f"entry {self.next_seq} is missing"
        if entry.prev_hash != self.hash or entry.hash != entry_hash(entry.columns()):
            return f"entry {seq} was changed"
        for part in PARTS:
            if part in elsewhere and part not in entry.details:
                continue
            if wrong := self._detail_fault(entry, part):
                return f"entry {seq}: its {part} {wrong}"
        self.next_seq, self.hash = seq + 1, entry.hash
        return None

    def _detail_fault(self, entry: Entry, part: str) -> str | None:
        detail, by = entry.details.get(part), self._erasures.by(entry.seq, part)
        if detail is None:
            return "is missing, and no erasure names it" if by is None else None
        if digest(detail.salt, detail.content) != entry.digests[part]:
            return "was changed"
        return f"is there, though entry {by} says that it was erased" if by is not None else None


def digest(salt: str, content: str) -> str:
    """What the chain has of a detail."""
    return hashlib.sha256(f"{salt}:{content}".encode("utf-8", "surrogatepass")).hexdigest()


def entry_hash(columns: Mapping[str, Any]) -> str:
    """The hash of an entry, from its `COLUMNS` by name."""
    return hashlib.sha256(canonical([columns[name] for name in COLUMNS]).encode()).hexdigest()


def canonical(value: Any) -> str:
    """One text for one value: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def ranges_of(seqs: Iterable[int]) -> list[list[int]]:
    """Numbers in rising order as ranges, both ends included.

    >>> ranges_of([1, 2, 3, 7, 9, 10])
    [[1, 3], [7, 7], [9, 10]]
    """
    found: list[list[int]] = []
    for seq in seqs:
        if found and found[-1][1] == seq - 1:
            found[-1][1] = seq
        else:
            found.append([seq, seq])
    return found


def _named(facts: str) -> dict[str, list[tuple[int, int]]]:
    """What an erasure's facts name; nothing where somebody changed them, which the hash tells."""
    try:
        erased = json.loads(facts)["erased"]
        return {
            part: [(int(first), int(last)) for first, last in erased.get(part, [])]
            for part in PARTS
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
