"""Takes in the break-glass journal: the orders of a time when the store could not be reached.

Each is written into the audit, and orders the trip that it stands for, so that the registry and
the daemon follow what people did. A journal is taken in as a whole or not at all, and an order
that the audit has is passed over.
"""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, ValidationError
from sqlalchemy import Connection, select

from alerting.killswitch import BLOCKED, is_person
from baselines.event import MAX_NAME_CHARS
from monitor.errors import TripswitchError, UsageError
from monitor.ledger import agents, audit, trips
from monitor.ledger.audit_chain import GENESIS, canonical
from monitor.store.schema import audit as audit_table
from monitor.store.schema import trips as trips_table
from monitor.store.sql import storable

log = logging.getLogger(__name__)

ACTION: Final = "order from the journal"
KILL: Final = "kill ordered"
OUTCOME: Final = "kill outcome"
"""What a journal tells of: an order, and later what the enforcement points answered."""
MAX_ORDER_SEQ: Final = 10**15
"""Far beyond any clock in milliseconds, far below where a database's integers end."""
MAX_LINE_BYTES: Final = 1024 * 1024


class JournalError(TripswitchError):
    """A journal is not what was written; the message names the line. Nothing was taken in."""


def _storable(written: object) -> object:
    return storable(written) if isinstance(written, str) else written


Written = Annotated[str, BeforeValidator(_storable)]
"""What a person or a system wrote: a command line may hold bytes that are no UTF-8."""


class JournalPoint(BaseModel):
    """What an enforcement point answered then."""

    model_config = ConfigDict(frozen=True, strict=True)

    point: str = Field(max_length=100)
    state: Literal["confirmed", "failed"]
    error: Written | None = None


class JournalOrder(BaseModel):
    """One line of a journal."""

    model_config = ConfigDict(frozen=True, strict=True)

    journal_id: str = Field(min_length=8, max_length=100)
    at: FiniteFloat
    actor: Written
    action: str
    agent_id: str = Field(min_length=1, max_length=MAX_NAME_CHARS)
    reason: Written
    points: list[JournalPoint]
    order_seq: int = Field(default=0, ge=0, le=MAX_ORDER_SEQ)
    """The number that the points were given."""
    prev_hash: str
    hash: str


Outcome = Literal["ordered", "cut off already", "restored since", "written down", "had"]
"""What became of an order: `had` was taken in before, `written down` is no order."""


class Taken(NamedTuple):
    """One order of a journal, and what became of it."""

    order: JournalOrder
    outcome: Outcome
    trip_id: str | None


@dataclass(frozen=True, slots=True)
class Importer:
    """Who takes a journal in, and what a trip needs."""

    by: str
    points: Sequence[str]
    receivers: Sequence[str]


def read(path: Path) -> list[JournalOrder]:
    """All orders of a journal, checked.

    A last line that is none, and has no end, was cut off as it was written, as by a power loss: it
    is passed over, with a warning.

    Raises
    ------
    UsageError
        If it cannot be read.
    JournalError
        Naming the first line that is no order, or that does not fit the one before.
    """
    orders: list[JournalOrder] = []
    prev_hash = GENESIS
    try:
        with path.open("rb") as file:
            while line := file.readline(MAX_LINE_BYTES + 1):
                where = f"journal {path}, line {len(orders) + 1}"
                try:
                    orders.append(_order(line, prev_hash, where))
                except JournalError:
                    if line.endswith(b"\n") or len(line) > MAX_LINE_BYTES:
                        raise
                    log.warning("%s: was cut off as it was written; it is passed over", where)
                    break
                prev_hash = orders[-1].hash
    except OSError as error:
        raise UsageError(
            f"journal {path}: {error.strerror}; `kill` printed where it wrote it"
        ) from None
    return orders


def take_in(
    connection: Connection, orders: Sequence[JournalOrder], importer: Importer, now_s: float
) -> list[Taken]:
    """Write a journal's orders into the audit, and order the trips of agents that need one.

    The agents' next orders are numbered above those of the journal: points refuse lower ones.

    Parameters
    ----------
    connection
        A ledger transaction.
    """
    audit.lock(connection)
    had = _had(connection)
    taken = []
    for order in orders:
        if order.journal_id in had:
            taken.append(Taken(order, "had", None))
            continue
        had.add(order.journal_id)
        _write(connection, order, importer, now_s)
        taken.append(_carry_out(connection, order, importer, now_s))
    return taken


def _carry_out(
    connection: Connection, order: JournalOrder, importer: Importer, now_s: float
) -> Taken:
    trips.number_above(connection, order.agent_id, order.order_seq, now_s)
    if order.action != KILL:
        return Taken(order, "written down", None)
    agent = agents.lock(connection, order.agent_id, now_s)
    query = select(trips_table.c.trip_id).where(
        trips_table.c.agent_id == order.agent_id, trips_table.c.restore_ordered_at > order.at
    )
    restored = connection.execute(query.limit(1)).scalar()
    is_blocked = agent.trip_id is not None and agent.state in BLOCKED
    if restored is not None and not is_blocked:
        return Taken(order, "restored since", restored)
    if is_blocked and (restored is not None or not _by_hold(connection, agent.trip_id)):
        return Taken(order, "cut off already", agent.trip_id)
    trip = trips.order_kill(
        connection,
        agent_id=order.agent_id,
        reason=order.reason,
        ordered_by=order.actor,
        automatic=False,
        now_s=now_s,
        points=importer.points,
        receivers=importer.receivers,
    )
    return Taken(order, "ordered" if trip.is_new else "cut off already", trip.trip_id)


def _by_hold(connection: Connection, trip_id: str | None) -> bool:
    """Whether an order about many cut an agent off, so that lifting it would give it back."""
    return trip_id is not None and trips.get(connection, trip_id).hold_id is not None


def _write(connection: Connection, order: JournalOrder, importer: Importer, now_s: float) -> None:
    errors = {f"error of {p.point}": p.error for p in order.points if p.error}
    audit.append(
        connection,
        at_s=now_s,
        actor=order.actor,
        action=ACTION,
        subject=order.agent_id,
        doc={
            "journal_id": order.journal_id,
            "ordered_at": order.at,
            "order": order.action if order.action in (KILL, OUTCOME) else "another",
            "order_seq": order.order_seq,
            "points": {p.point: p.state for p in order.points},
        },
        text={"reason": order.reason, "imported_by": importer.by, **errors},
    )


def _had(connection: Connection) -> set[str]:
    query = select(audit_table.c.facts).where(audit_table.c.action == ACTION)
    return {json.loads(facts)["journal_id"] for facts in connection.execute(query).scalars()}


def _order(line: bytes, prev_hash: str, where: str) -> JournalOrder:
    """The order that a line holds, if it is what was written after the line before."""
    try:
        document = json.loads(line)
        order = JournalOrder.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise JournalError(f"{where}: {key}: {first['msg']}") from None
    except (ValueError, RecursionError):
        raise JournalError(f"{where}: is no JSON object of UTF-8") from None
    if order.prev_hash != prev_hash:
        raise JournalError(f"{where}: does not follow the line before; one was taken out or put in")
    if order.hash != hash_of(document):
        raise JournalError(f"{where}: was changed")
    if not is_person(order.actor):
        raise JournalError(f"{where}: was ordered by nobody who is a person")
    if "\x00" in order.agent_id:
        raise JournalError(f"{where}: an agent's id holds no NUL")
    return order


def hash_of(document: Mapping[str, Any]) -> str:
    """The hash of a line: of the canonical JSON of all but the hash itself."""
    rest = {key: value for key, value in document.items() if key != "hash"}
    return hashlib.sha256(canonical(rest).encode()).hexdigest()
