"""The settings of how the monitor watches itself, of its heartbeat, and of the digest."""

from datetime import tzinfo
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from monitor.config_boundaries import zone
from monitor.config_section import Seconds, Section

ClockTime = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class HealthConfig(Section):
    """From when on something is wrong with the monitor itself."""

    look_every_s: Seconds = 5.0
    """How often it looks."""
    lag_s: Seconds = 300.0
    """Records wait that are so much older than now."""
    stalled_s: Seconds = 60.0
    """Nothing was read for so long though there is more, or the source cannot be asked."""
    quiet_after_s: Seconds | None = None
    """No record at all for so long; by default three times the longest pause of two weeks. Example:
    `7200`"""
    dead_letters_per_hour: Annotated[int, Field(ge=1)] = 1
    """So many records of the last hour were no events."""
    checkpoint_s: Seconds = 60.0
    """What was read is not saved for so long."""
    clock_skew_s: Seconds = 60.0
    """Event times of an agent differ from the broker's by so much."""
    attempts: Annotated[int, Field(ge=1)] = 3
    """So many attempts in vain at an enforcement point or a receiver."""
    undelivered_hours: Annotated[float, Field(gt=0)] = 24.0
    """A message that was given up is a condition for so long, or until it is tried again."""
    worker_s: Seconds = 60.0
    """The worker's loop has not turned for so long."""


class HeartbeatConfig(Section):
    """A URL that is called while all is well, for a dead-man's switch elsewhere."""

    url: SecretStr | None = None
    """What is called. Who has it can say that all is well: it is not shown."""
    interval_s: Seconds = 60.0
    """How often."""
    timeout_s: Seconds = 10.0
    """Of one call."""

    @field_validator("url")
    @classmethod
    def _is_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("https://", "http://")):
            raise ValueError("is no URL that starts with https://")
        return url


class DigestConfig(Section):
    """What happened, told once a day and once a week."""

    daily_at: ClockTime | Literal["never"] = "08:00"
    """When the daily one is told; or "never"."""
    weekly_on: Weekday | Literal["never"] = "mon"
    """The weekly one's day, mon to sun, or "never". Told at the time of the daily one; at 08:00 if
    there is none."""
    timezone: str = "UTC"
    """Whose clock; its summer time is followed. Example: `"Europe/Berlin"`"""

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, name: str) -> str:
        zone(name)
        return name

    @property
    def zone(self) -> tzinfo:
        """The time zone."""
        return zone(self.timezone)
