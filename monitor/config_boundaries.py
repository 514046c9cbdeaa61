"""The settings that people declare agents with: who there is, and what each may do at most."""

import re
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from baselines.event import DataClass
from detectors.finding import SeverityField
from detectors.hours import Hours
from monitor.config_section import Section

_RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def _moment(value: Any) -> datetime:
    """A TOML date-time or RFC 3339 text, with its offset: a date alone could mean two days."""
    if isinstance(value, str) and _RFC_3339.fullmatch(value):
        value = datetime.fromisoformat(value.upper())
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("must be an RFC 3339 time with its offset, such as 2026-02-01T18:00:00Z")
    return value


def zone(name: str) -> tzinfo:
    """The time zone of an IANA name.

    Raises
    ------
    ValueError
        If there is no such zone on this host.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"{name!r:.60} is no time zone such as Europe/Berlin that this host knows "
            "(its names come from the system or from the package tzdata)"
        ) from None


def _texts(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _hours(texts: tuple[str, ...]) -> tuple[str, ...]:
    Hours.parse(texts, UTC)
    return texts


def _zone_name(name: str) -> str:
    zone(name)
    return name


Moment = Annotated[datetime, BeforeValidator(_moment)]
HourTexts = Annotated[
    tuple[str, ...], BeforeValidator(_texts), Field(min_length=1), AfterValidator(_hours)
]
ZoneName = Annotated[str, AfterValidator(_zone_name)]


class AgentsConfig(Section):
    """Which agents there should be."""

    declared: tuple[str, ...] = ()
    """Agent ids as shell patterns; any other that turns up alarms. None: nobody asks. Example:
    `["payroll-*", "support-*"]`"""


class PermitConfig(Section):
    """What is allowed beyond a boundary for a time, judged by the time of the event."""

    until: Moment
    """When it ends: an RFC 3339 time. Example: `2027-01-05T00:00:00+01:00`"""
    since: Moment | None = None
    """When it begins; by default it always held. Example: `2026-12-28T00:00:00+01:00`"""
    reason: Annotated[str, Field(min_length=1, max_length=200)]
    """For people who read it later. Example: `"year end, INC-42"`"""
    agents: tuple[str, ...] = ()
    """Which of the boundary's agents; none: all of them. Example: `["payroll-1"]`"""
    tools: tuple[str, ...] = ()
    """Tools beyond those of the boundary. Example: `["export_ledger"]`"""
    targets: tuple[str, ...] = ()
    """Targets likewise. Example: `["*@auditor.example"]`"""
    data_classes: tuple[DataClass, ...] = ()
    """Data classes likewise. Example: `["restricted"]`"""
    verbs: tuple[str, ...] = ()
    """Actions and effects allowed in spite of `never`. Example: `["delete"]`"""
    hours: HourTexts | None = None
    """Hours beyond those of the boundary. Example: `"Sat,Sun 08:00-18:00"`"""

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.since is not None and self.since >= self.until:
            raise ValueError("since is not before until: it would never hold")
        return self


class BoundaryConfig(Section):
    """What agents may do at most; checked for every event, no learning needed."""

    agents: tuple[str, ...] = ()
    """Agent ids as shell patterns; none: every agent of the roles. Example: `["payroll-1"]`"""
    roles: tuple[str, ...] = ()
    """Roles as shell patterns; none: every role. Example: `["payroll"]`"""
    tools: tuple[str, ...] | None = None
    """Allowed tools as shell patterns; events without a tool are not held to them. Example:
    `["get_*", "list_*", "send_email"]`"""
    targets: tuple[str, ...] | None = None
    """Allowed targets as shell patterns. Example:
    `["*@corp.example", "EMP-*", "https://*.example.gov/*"]`"""
    data_classes: tuple[DataClass, ...] | None = None
    """Allowed classes: public, internal, confidential, restricted. Example:
    `["public", "internal"]`"""
    never: tuple[str, ...] = ()
    """Actions and effects never allowed, such as `delete` or `destructive`. Example:
    `["delete", "destructive"]`"""
    timezone: ZoneName = "UTC"
    """Whose clock `hours` mean; its summer time is followed. Example: `"Europe/Berlin"`"""
    hours: HourTexts | None = None
    """When they may act; one or a list. 22:00-06:00 goes on past midnight. Example:
    `["Mon-Fri 07:00-19:00", "Sat 08:00-12:00"]`"""
    permits: tuple[PermitConfig, ...] = ()
    """What is allowed beyond it for a time."""
    mode: Literal["shadow", "alert"] = "alert"
    """`shadow`: a breach is recorded and listed, and nobody is told."""
    severity: SeverityField = Field(default="high", validate_default=True)
    """Of a breach: low, medium, high or critical."""
