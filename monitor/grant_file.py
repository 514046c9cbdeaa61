"""Grants in a file, as `grants export` writes them: JSON lines, or one JSON array.

A file is taken whole or not at all, so every fault is told with its line before anything is
written.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from alerting.grants import Grant
from baselines.event import MAX_NAME_CHARS
from monitor.errors import UsageError
from monitor.ledger.grants import MAX_TIME_S
from monitor.orders import check_agent

MAX_GRANTS: Final = 10_000
"""In one file: it is one transaction, which an order to kill may have to wait for."""
_MAX_FAULTS: Final = 10


class _Written(BaseModel):
    """One grant of a file. What only tells how it stood, such as `valid`, is not believed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    grant_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    agent_id: Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS)]
    scope: Annotated[str, Field(min_length=1, max_length=1024)]
    reason: Annotated[str, Field(min_length=1, max_length=2000)]
    expires_at: AwareDatetime | None
    """Must be there: null says that it is a standing one."""
    granted_by: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    granted_at: AwareDatetime | None = None
    revoked_at: AwareDatetime | None = None
    revoked_by: Annotated[str, Field(max_length=256)] | None = None
    valid: Any = None
    standing: Any = None


def parse(text: str, *, by: str, now_s: float) -> list[Grant]:
    """The grants of a file.

    Parameters
    ----------
    text
        The file's.
    by, now_s
        Who granted, and when, where a grant does not say.

    Raises
    ------
    UsageError
        Naming each line that is no grant.
    """
    found: list[Grant] = []
    first: dict[str, str] = {}
    faults: list[str] = []
    for place, item in _items(text):
        if len(first) >= MAX_GRANTS:
            raise UsageError(f"{place}: more than {MAX_GRANTS:,} grants; split the file")
        try:
            grant = _grant(item, by, now_s)
        except (UsageError, ValidationError) as error:
            faults.append(f"{place}: {_said(error)}")
            continue
        if grant.grant_id in first:
            faults.append(f"{place}: grant_id {grant.grant_id} is in {first[grant.grant_id]}, too")
            continue
        first[grant.grant_id] = place
        found.append(grant)
    if faults:
        more = f"; and {len(faults) - _MAX_FAULTS} more" if len(faults) > _MAX_FAULTS else ""
        raise UsageError(f"nothing was imported: {'; '.join(faults[:_MAX_FAULTS])}{more}")
    return found


def _items(text: str) -> Iterator[tuple[str, Any]]:
    """Each item with its place; one that is no JSON at all is passed on as None."""
    if text.lstrip().startswith("["):
        try:
            array = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"nothing was imported: no JSON array: {error}") from None
        yield from ((f"item {number}", item) for number, item in enumerate(array, 1))
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield f"line {number}", json.loads(line)
            except (ValueError, RecursionError):
                yield f"line {number}", None


def _grant(item: Any, by: str, now_s: float) -> Grant:
    if not isinstance(item, dict):
        raise UsageError("is no JSON object")
    written = _Written.model_validate(item)
    check_agent(written.agent_id)
    granted_at = _seconds(written.granted_at)
    return Grant(
        grant_id=written.grant_id,
        agent_id=written.agent_id,
        scope=written.scope,
        reason=written.reason,
        granted_by=written.granted_by or by,
        granted_at=now_s if granted_at is None else granted_at,
        expires_at=_seconds(written.expires_at),
        revoked_at=_seconds(written.revoked_at),
        revoked_by=written.revoked_by,
    )


def _seconds(time: datetime | None) -> float | None:
    return None if time is None else min(max(time.timestamp(), 0.0), MAX_TIME_S)


def _said(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return ", ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
