"""A mapping: makes the event of a message of any JSON form, as `[source.map]` says."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from pydantic_core import from_json

from baselines.event import MAX_MESSAGE_BYTES, ActionEvent, EventError
from monitor.config_map import KEY, Conversion, FieldMap, Scalar, segments
from monitor.config_source import SourceConfig

_ABSENT: Final = object()
_PER_S: Final = {"unix_s": 1, "unix_ms": 10**3, "unix_us": 10**6, "unix_ns": 10**9}
_MAX_SHOWN: Final = 80


class Parse(Protocol):
    """Makes an event of a message, or None where it is to be passed over."""

    def __call__(
        self, raw: bytes, taken_in_s: float | None = None, key: bytes | None = None
    ) -> ActionEvent | None:
        """Read the message; the log took it in at `taken_in_s`, under this key."""
        ...


class Mapper:
    """Makes events by a map.

    Parameters
    ----------
    maps
        Where each field comes from. Without one for `event_id` it is a digest of the message.
    only
        By path, the values that a message must have one of; others are passed over.
    """

    def __init__(
        self, maps: Mapping[str, FieldMap], only: Mapping[str, Sequence[Scalar]] | None = None
    ) -> None:
        self._maps = {
            name: (one, [_steps(path) for path in one.path]) for name, one in maps.items()
        }
        self._only = [
            (segments(path), frozenset(map(_said, of))) for path, of in (only or {}).items()
        ]

    def __call__(
        self, raw: bytes, taken_in_s: float | None = None, key: bytes | None = None
    ) -> ActionEvent | None:
        """See `Parse`.

        Raises
        ------
        EventError
            If what the map makes of it is no event; the message names field and path.
        """
        if len(raw) > MAX_MESSAGE_BYTES:
            raise EventError(f"message of {len(raw)} bytes; at most {MAX_MESSAGE_BYTES} are taken")
        try:
            message = from_json(raw)
        except ValueError as error:
            raise EventError(f"record: Invalid JSON: {error}") from None
        if any(_said(_at(message, path)) not in values for path, values in self._only):
            return None
        found = {name: self._make(name, message, key) for name in self._maps}
        made = {name: value for name, value in found.items() if value is not None}
        if "event_id" not in made:
            made["event_id"] = hashlib.sha256(raw).hexdigest()[:32]
        return ActionEvent.of(made, taken_in_s)

    def _make(self, name: str, message: Any, key: bytes | None) -> Any:
        one, paths = self._maps[name]
        if one.value is not None:
            return one.value
        found = [_key(key) if path == (KEY,) else _at(message, path) for path in paths]
        if any(value is _ABSENT or value is None for value in found):
            return one.otherwise
        value = found[0] if len(found) == 1 else "/".join(map(_said, found))
        if one.say:
            return one.say.get(_said(value), value if one.otherwise is None else one.otherwise)
        if one.conversion is None:
            return value
        try:
            return _converted(value, one.conversion)
        except (ValueError, TypeError, OverflowError, OSError):  # the last: a year beyond C's
            where = ", ".join(one.path)
            shown = f"{value!r:.{_MAX_SHOWN}}"
            raise EventError(
                f"{name}: {shown} at {where} cannot be read as {one.conversion}"
            ) from None


def plain(
    raw: bytes, taken_in_s: float | None = None, key: bytes | None = None
) -> ActionEvent | None:
    """`Parse` where messages are events as they are."""
    del key
    return ActionEvent.parse(raw, taken_in_s)


def parser(source: SourceConfig) -> Parse:
    """What makes events of this source's messages."""
    return mapper(source) or plain


def mapper(source: SourceConfig) -> Mapper | None:
    """What makes events of this source's messages; None where they are events as they are."""
    return Mapper(source.map, source.only) if source.map else None


def _steps(path: str) -> tuple[str, ...]:
    return (KEY,) if path == KEY else segments(path)


def _at(message: Any, path: Sequence[str]) -> Any:
    """What stands at a path; a number leads into a list."""
    for step in path:
        if isinstance(message, dict):
            message = message.get(step, _ABSENT)
        elif isinstance(message, list) and step.isdecimal() and int(step) < len(message):
            message = message[int(step)]
        else:
            return _ABSENT
    return message


def _key(key: bytes | None) -> Any:
    return _ABSENT if key is None else key.decode("utf-8", "replace")


def _said(value: Any) -> str:
    """A value as it stands in JSON, a text without its quotation marks."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _converted(value: Any, conversion: Conversion) -> Any:
    match conversion:
        case "text":
            return _said(value)
        case "lower":
            return _said(value).lower()
        case "integer":
            return int(value)
        case "number":
            return float(value)
        case "bytes":
            return len(_said(value).encode())
        case "utc":
            read = datetime.fromisoformat(value)
            return (read if read.tzinfo else read.replace(tzinfo=UTC)).isoformat()
    return datetime.fromtimestamp(float(value) / _PER_S[conversion], UTC).isoformat()
