"""What the agents of one role have in common, kept beside their shard's place."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import ormsgpack
from sqlalchemy import Connection, select

from baselines.cohort import Cohort
from monitor.store.schema import cohorts
from monitor.store.shards import MAX_BODY_BYTES, Claim
from monitor.store.sql import upsert

log = logging.getLogger(__name__)


def row(mine: Claim, role: str, cohort: Cohort) -> dict[str, Any]:
    """A cohort as it is stored."""
    body = ormsgpack.packb([role, cohort.dump()])
    return {
        "source": mine.source,
        "partition": mine.partition,
        "role_key": _digest(role.encode()),  # a role may be longer than a key can be
        "checksum": _digest(body),
        "body": body,
    }


def save(state: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store cohorts, in the transaction of the checkpoint that they belong to."""
    upsert(state, cohorts, rows)


def load(state: Connection, mine: Claim) -> list[tuple[str, Cohort]]:
    """The cohorts of a shard by role; a damaged one is said, and learned anew."""
    found = []
    for checksum, body in state.execute(
        select(cohorts.c.checksum, cohorts.c.body)
        .where(cohorts.c.source == mine.source, cohorts.c.partition == mine.partition)
        .order_by(cohorts.c.role_key)
    ):
        try:
            if len(body) > MAX_BODY_BYTES:
                raise ValueError(f"{len(body)} bytes; at most {MAX_BODY_BYTES} are taken")
            if _digest(body) != checksum:
                raise ValueError("checksum does not match")
            role, data = ormsgpack.unpackb(body)
            found.append((role, Cohort.load(data)))
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
            log.error("a cohort of %s/%d is damaged (%s): learning it anew",
                      mine.source, mine.partition, error)  # fmt: skip
    return found


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
