"""The audit as a file: JSON lines that a third party can verify without the store.

A line has `seq`, `at` (RFC 3339) and `at_s` (the same to the last bit: the hash is made of it),
`action`, `facts`; `actor`, `subject` and `text`, null where they were erased; `digests` and `salts`
of these three; `erased_by`, the entry that names what was erased; `prev_hash` and `hash`. How the
hashes are made is said in `monitor.ledger.audit_chain`.
"""

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from sqlalchemy import Connection, func, select

from monitor.errors import UsageError
from monitor.ledger import audit_read
from monitor.ledger.audit_chain import (
    ERASURES,
    GENESIS,
    PARTS,
    Chain,
    Detail,
    Entry,
    Erasures,
    canonical,
)
from monitor.store.schema import audit

MAX_LINE_BYTES: Final = 64 * 1024 * 1024
"""The longest entries name what was erased of a person; none that we write comes near this."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a file is.

    Attributes
    ----------
    fault
        The first one, or None.
    first_seq, last_seq
        Which entries were read up to there; 0 if none.
    hash
        Of the last entry: to compare with a head that was published.
    elsewhere
        Details that are missing and said to be erased by entries behind the end of the file, which
        cannot prove it.
    """

    fault: str | None
    first_seq: int
    last_seq: int
    hash: str
    elsewhere: int


def export(
    connection: Connection, *, since_s: float | None = None, until_s: float | None = None
) -> Generator[str, None, None]:
    """The entries of a time as lines, one after the other; without gaps between them.

    Parameters
    ----------
    connection
        A snapshot.
    since_s, until_s
        From the first entry at or after the one to the last before the other.
    """
    first = last = None
    if since_s is not None:
        after = select(func.min(audit.c.seq)).where(audit.c.at >= since_s)
        first = connection.execute(after).scalar()
        if first is None:
            return
    if until_s is not None:
        before = select(func.max(audit.c.seq)).where(audit.c.at < until_s)
        last = connection.execute(before).scalar() or 0
    erasures = audit_read.erasures(connection)
    with closing(audit_read.stream(connection, first=first, last=last)) as entries:
        for entry in entries:
            yield json.dumps(_document(entry, erasures), ensure_ascii=True)


def verify(path: Path) -> Verdict:
    """Verify an export, from its first entry to its last; the file is read twice.

    Raises
    ------
    UsageError
        If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return _verify(file)
    except OSError as error:
        raise UsageError(
            f"audit export {path}: {error.strerror}; name a file that `audit export` wrote"
        ) from None


def _verify(file: IO[bytes]) -> Verdict:
    named: list[tuple[int, str]] = []
    last_seq = 0
    for _, entry, _ in _entries(file):
        if isinstance(entry, str):
            break
        last_seq = entry.seq
        if entry.action in ERASURES:
            named.append((entry.seq, entry.facts))
    file.seek(0)
    chain: Chain | None = None
    first_seq = elsewhere = 0
    fault: str | None = None
    for number, entry, erased_by in _entries(file):
        if isinstance(entry, str):
            fault = f"line {number} is no entry of an export: {entry}"
            break
        if chain is None:
            first_seq = entry.seq
            before = GENESIS if first_seq == 1 else entry.prev_hash
            chain = Chain(Erasures(named), first_seq=first_seq, prev_hash=before)
        beyond = [part for part, by in erased_by.items() if by > last_seq]
        if fault := chain.fault(entry, beyond):
            break
        elsewhere += sum(part not in entry.details for part in beyond)
    if chain is None:
        return Verdict(fault, 0, 0, GENESIS, 0)
    return Verdict(fault, first_seq, chain.next_seq - 1, chain.hash, elsewhere)


def _entries(file: IO[bytes]) -> Iterator[tuple[int, Entry | str, Mapping[str, int]]]:
    """Each line's number, its entry or what is wrong with it, and what it says erased it."""
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            yield number, "it is too long", {}
            return
        try:
            document = json.loads(line)
            yield number, _entry(document), _erased_by(document)
        except (ValueError, RecursionError):
            yield number, "it is no JSON, or a value lies out of range", {}
            return
        except (KeyError, TypeError, AttributeError, OverflowError, OSError):
            yield number, "something is missing or of the wrong kind", {}
            return


def _document(entry: Entry, erasures: Erasures) -> dict[str, Any]:
    said = {part: detail.content for part, detail in entry.details.items()}
    gone = [part for part in PARTS if part not in said]
    return {
        "seq": entry.seq,
        "at": _iso(entry.at),
        "at_s": entry.at,
        "actor": said.get("actor"),
        "action": entry.action,
        "subject": said.get("subject"),
        "facts": _parsed(entry.facts),
        "text": _parsed(said["text"]) if "text" in said else None,
        "digests": dict(entry.digests),
        "salts": {part: detail.salt for part, detail in entry.details.items()},
        "erased_by": {p: by for p in gone if (by := erasures.by(entry.seq, p)) is not None},
        "prev_hash": entry.prev_hash,
        "hash": entry.hash,
    }


def _entry(document: Mapping[str, Any]) -> Entry:
    """The entry that a line tells of.

    Raises
    ------
    KeyError, TypeError
        If it is none.
    """
    salts, at_s = document["salts"], float(document["at_s"])
    if document["at"] != _iso(at_s):
        raise TypeError  # the hash is made of the one, people read the other
    write: dict[str, Callable[[Any], str]] = {"actor": _text, "subject": _text, "text": canonical}
    return Entry(
        seq=_number(document["seq"]),
        at=at_s,
        action=_text(document["action"]),
        facts=canonical(document["facts"]),
        digests={part: _text(document["digests"][part]) for part in PARTS},
        prev_hash=_text(document["prev_hash"]),
        hash=_text(document["hash"]),
        details={
            part: Detail(_text(salts[part]), write[part](document[part]))
            for part in PARTS
            if part in salts or document[part] is not None
        },
    )


def _erased_by(document: Mapping[str, Any]) -> dict[str, int]:
    return {part: _number(by) for part, by in document["erased_by"].items()}


def _iso(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int):
        raise TypeError
    return value


def _parsed(written: str) -> Any:
    try:
        return json.loads(written)
    except ValueError:
        return written  # somebody changed it: no hash fits it, here or there
