"""The version-1 event: what an agent did, as its producer reports it."""

from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetPydanticSchema,
    StringConstraints,
    ValidationError,
)
from pydantic_core import core_schema

MAX_MESSAGE_BYTES: Final = 1024 * 1024
MAX_NAME_CHARS: Final = 1024
MAX_AGENT_ID_BYTES: Final = 2048
"""As UTF-8; a key that PostgreSQL can index must not be longer."""
MAX_AHEAD_S: Final = 300.0
"""How far an event's time may lie past the moment the log took it in."""

_LATEST_S: Final = 253_370_764_800.0
"""The start of the year 9999 in seconds since the epoch: whatever is added still has a date."""

_MAX_QUOTED_CHARS = 80
_MAX_COUNT = 2**53
"""Counts are summed and compared as floats; above this they would lose exactness."""


_RFC_3339: Final = r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$"

# Pydantic's own datetime also takes "1700000000" and times without a zone, and one made by the
# standard library is three times as fast to turn into seconds.
Time = Annotated[
    datetime,
    GetPydanticSchema(
        lambda _source, _handler: core_schema.no_info_after_validator_function(
            datetime.fromisoformat,
            core_schema.str_schema(pattern=_RFC_3339, to_upper=True),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda time, info: time.isoformat() if info.mode == "json" else time, info_arg=True
            ),
        )
    ),
]
# NUL is refused because PostgreSQL cannot store it and these fields are keys.
Key = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_NAME_CHARS, pattern=r"^[^\x00]+$")
]
Name = Annotated[str, StringConstraints(max_length=MAX_NAME_CHARS)]
Count = Annotated[int, Field(ge=0, le=_MAX_COUNT)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Effect = Literal["read", "write", "destructive", "external"]
Origin = Literal["user", "tool", "model"]
DataClass = Literal["public", "internal", "confidential", "restricted"]


class EventError(ValueError):
    """A record that is no event; the message names what was wrong and where in it."""


class ActionEvent(BaseModel):
    """One action of one agent (event contract, version 1).

    Unknown fields are ignored, a field given as null counts as not given, and types are strict:
    `"12"` is no number. `attributes` are kept and never scored.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    event_id: Key
    time: Time
    agent_id: Key
    action: Key
    tool: Name | None = None
    target: Name | None = None
    target_origin: Origin | None = None
    target_source: Name | None = None
    effect: Effect | None = None
    status: Name = "ok"
    bytes_out: Count | None = None
    bytes_in: Count | None = None
    records: Count | None = None
    tokens: Count | None = None
    cost_usd: Amount | None = None
    duration_ms: Amount | None = None
    trace_id: Key | None = None
    session_id: Name | None = None
    parent_agent_id: Name | None = None
    user_id: Name | None = None
    role: Key | None = None
    agent_version: Name | None = None
    data_class: DataClass | None = None
    attributes: dict[str, Any] | None = None

    @cached_property
    def time_s(self) -> float:
        """When the agent acted, in seconds since the epoch."""
        return self.time.timestamp()

    @classmethod
    def parse(cls, raw: bytes, taken_in_s: float | None = None) -> Self:
        """Decode and validate one record.

        Parameters
        ----------
        raw
            One JSON object, UTF-8.
        taken_in_s
            When the log took the record in (broker timestamp, or the clock for a file), in
            seconds since the epoch; None where neither is meant, as in a replay.

        Raises
        ------
        EventError
            If the record is too large, is no JSON, does not fit the contract, or claims a time
            before 1970 or more than `MAX_AHEAD_S` past `taken_in_s`.
        """
        if len(raw) > MAX_MESSAGE_BYTES:
            raise EventError(f"message of {len(raw)} bytes; at most {MAX_MESSAGE_BYTES} are taken")
        try:
            event = cls.model_validate_json(raw)
        except ValidationError as error:
            raise EventError(_reasons(error)) from None
        return _checked(event, taken_in_s)

    @classmethod
    def of(cls, fields: dict[str, Any], taken_in_s: float | None = None) -> Self:
        """Validate fields that something else has read out of a record, as `parse` does.

        Raises
        ------
        EventError
            As `parse` does.
        """
        try:
            event = cls.model_validate(fields)
        except ValidationError as error:
            raise EventError(_reasons(error)) from None
        return _checked(event, taken_in_s)


EventT = TypeVar("EventT", bound=ActionEvent)


def _checked(event: EventT, taken_in_s: float | None) -> EventT:
    """The event, if what no field tells by itself holds, too."""
    if len(event.agent_id) > MAX_AGENT_ID_BYTES // 4:
        size = len(event.agent_id.encode())
        if size > MAX_AGENT_ID_BYTES:
            raise EventError(f"agent_id: {size} bytes; at most {MAX_AGENT_ID_BYTES} are taken")
    time_s = event.time.timestamp()
    if not 0 <= time_s <= _LATEST_S:
        raise EventError(f"time: {event.time.isoformat()} lies outside the years 1970 to 9998")
    event.__dict__["time_s"] = time_s  # what the cached property would find, without its lock
    if taken_in_s is not None and time_s > taken_in_s + MAX_AHEAD_S:
        raise EventError(
            f"time: {event.time.isoformat()} lies more than {MAX_AHEAD_S:.0f} s past the "
            f"moment the log took it in ({_iso(taken_in_s)})"
        )
    return event


def _reasons(error: ValidationError) -> str:
    """Every fault of a record in one line, with field and value, cut to a readable length."""
    parts = []
    for fault in error.errors(include_url=False, include_context=False)[:5]:
        where = ".".join(map(str, fault["loc"])) or "record"
        got = (
            "" if fault["type"] in ("missing", "json_invalid") else f" (got {_cut(fault['input'])})"
        )
        what = fault["msg"]
        if fault["type"] == "string_pattern_mismatch":
            what = (
                "must be an RFC 3339 time such as 2026-02-01T00:01:39.654Z"
                if where == "time"
                else "must not hold a NUL character"
            )
        parts.append(f"{where}: {what}{got}")
    if error.error_count() > len(parts):
        parts.append(f"and {error.error_count() - len(parts)} more")
    return "; ".join(parts)


def _cut(value: object) -> str:
    text = repr(value if not isinstance(value, str) else value[: _MAX_QUOTED_CHARS + 1])
    return text if len(text) <= _MAX_QUOTED_CHARS else text[:_MAX_QUOTED_CHARS] + "…"


def _iso(time_s: float) -> str:
    from datetime import UTC

    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="seconds")
