"""What several routes take in their paths and queries."""

from typing import Annotated

from fastapi import Depends, Path, Query

from monitor.errors import UsageError


async def _reason(
    reason: Annotated[str, Query(max_length=2000, description="Why; kept in the audit.")],
) -> str:
    if not reason.strip():
        raise UsageError("reason: is empty: say why, for those who ask later")
    return reason


Id = Annotated[str, Path(max_length=300)]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many.")]
Reason = Annotated[str, Depends(_reason)]
"""Why, of a request without a body."""
