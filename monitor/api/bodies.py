"""What orders over the network say. A key that is unknown is an error, as in the settings."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, field_validator, model_validator

from monitor.duration import parse_duration
from monitor.errors import UsageError
from monitor.ledger.tokens import Role

Reason = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S")]
"""Why; kept in the audit."""


Pattern = Annotated[str, Field(min_length=1, max_length=1024)] | None


class Body(BaseModel):
    """Base of every body."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ReasonBody(Body):
    """What somebody says of an alert, or decides on what waits for a person."""

    reason: Reason


class KillBody(Body):
    """An order to cut an agent off."""

    reason: Reason
    dry_run: StrictBool = False
    """Only say what would be done."""


class RestoreBody(Body):
    """An order to give an agent back."""

    reason: Reason
    probation_s: Annotated[float, Field(strict=True, ge=0, le=31_536_000)] | None = None
    """How long it is watched more tightly; by default `trip.probation_s`."""
    dry_run: StrictBool = False
    """Only say what would be done."""


class Many(Body):
    """Base of orders about many: a role, or every agent by its own word."""

    role: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    everyone: Annotated[StrictBool, Field(alias="all", description="Every agent.")] = False

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.role is not None) is self.everyone:
            raise ValueError('name either "role" or "all": true')
        return self


class HoldBody(Many, KillBody):
    """An order to cut off a role, or every agent."""


class LiftBody(Many, RestoreBody):
    """An order to give them back."""


class Lasting(Body):
    """Base of what lasts for a time unless it is said to have no end."""

    model_config = ConfigDict(populate_by_name=True)

    lasts: Annotated[
        str | None,
        Field(alias="for", max_length=40, description="How long: 15m, 1h, 2d.", examples=["1h"]),
    ] = None

    @field_validator("lasts")
    @classmethod
    def _is_duration(cls, lasts: str | None) -> str | None:
        if lasts is not None:
            try:
                parse_duration(lasts)
            except UsageError as error:
                raise ValueError(str(error)) from None
        return lasts

    @property
    def lasts_s(self) -> float | None:
        """In seconds; None without an end."""
        return None if self.lasts is None else parse_duration(self.lasts)


class GrantBody(Lasting):
    """A grant: temporary, or said to be standing."""

    scope: Annotated[str, Field(min_length=1, max_length=1024)]
    """What the agent may do; a shell pattern such as `mail.*`."""
    reason: Reason
    standing: StrictBool = False

    @model_validator(mode="after")
    def _has_an_end_or_says_so(self) -> Self:
        if (self.lasts is None) is not self.standing:
            raise ValueError('say how long it lasts ("for": "1h"), or "standing": true')
        return self


class TokenBody(Lasting):
    """A token."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    role: Role


class ExpectedBody(Lasting):
    """Why it was as it should be; with `for` an exception until then, and nothing is learned."""

    reason: Reason
    scope: Literal["terms", "level"] | None = None
    """Only what is used, or only how much and when; by default both."""


class MuteBody(Lasting):
    """What nobody wants to hear of, and for how long; texts may be shell patterns."""

    reason: Reason
    agent: Pattern = None
    role: Pattern = None
    detector: Pattern = None
    target: Pattern = None
