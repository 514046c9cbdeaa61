"""The settings that make an event of any JSON message: paths, constants, small conversions."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from baselines.event import ActionEvent
from monitor.config_section import Section

KEY: Final = "$key"
"""The path that stands for the record's key."""
REQUIRED: Final = ("agent_id", "time", "action")

_SEGMENT: Final = re.compile(r'"([^"]+)"|([^."]+)')
_PATH: Final = re.compile(r'("[^"]+"|[^."]+)(\.("[^"]+"|[^."]+))*')

Scalar = str | bool | int | float
Conversion = Literal[
    "text", "lower", "integer", "number", "bytes", "unix_s", "unix_ms", "unix_us", "unix_ns", "utc"
]


def segments(path: str) -> tuple[str, ...]:
    """The keys that a path leads through; one with dots in it stands in quotation marks.

    >>> segments('attributes."gen_ai.tool.name"')
    ('attributes', 'gen_ai.tool.name')

    Raises
    ------
    ValueError
        If it is no path.
    """
    if not _PATH.fullmatch(path):
        raise ValueError(
            f'{path!r:.100} is no path such as actor.id, calls.0.name or a."key.with.dots"'
        )
    return tuple(quoted or bare for quoted, bare in _SEGMENT.findall(path))


def _paths(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class FieldMap(Section):
    """Where one field of the event comes from."""

    path: Annotated[tuple[str, ...], BeforeValidator(_paths)] = ()
    """A path into the message; of several the values are joined by `/`. Example: `"result.code"`"""
    value: Scalar | None = None
    """A constant instead. Example: `"tool_call"`"""
    conversion: Conversion | None = Field(default=None, alias="as")
    """text, lower, integer, number; bytes: how long a text is; unix_s, unix_ms, unix_us, unix_ns: a
    time since 1970; utc: a time without its offset. Example: `"text"`"""
    say: dict[str, Scalar] = Field(default_factory=dict)
    """What to say for each value. Example: `{ 200 = "ok", 403 = "denied" }`"""
    otherwise: Scalar | None = None
    """For values that `say` has not, and where the message has none. Example: `"error"`"""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if bool(self.path) == (self.value is not None):
            raise ValueError("say either path or value")
        if self.value is not None and (self.conversion or self.say or self.otherwise is not None):
            raise ValueError("a constant needs no as, say or otherwise")
        for path in self.path:
            if path != KEY:
                segments(path)
        return self


def _field(value: Any) -> Any:
    return {"path": value} if isinstance(value, str | list) else value


FieldMaps = dict[
    Annotated[str, Field(pattern="^(" + "|".join(ActionEvent.model_fields) + ")$")],
    Annotated[FieldMap, BeforeValidator(_field)],
]


def check_fields(maps: Mapping[str, FieldMap]) -> None:
    """Refuse a map that makes no event.

    Raises
    ------
    ValueError
        Naming the field that is missing.
    """
    for name in REQUIRED:
        if maps and name not in maps:
            raise ValueError(
                f"{name} is missing: every event has {', '.join(REQUIRED)}; give it a path, or a "
                f'constant: {name} = {{ value = "…" }}'
            )
