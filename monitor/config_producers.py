"""The settings that say which producer may speak for which agents, and how it proves who it is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from monitor.config_section import Section
from monitor.config_wire import Variable

Patterns = Annotated[tuple[str, ...], Field(min_length=1)]


class ProducerKeyConfig(Section):
    """A key that a producer signs with; while keys change there are several, and any will do."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    """What the producer calls it in the header. Example: `"payroll-2026-11"`"""
    secret_file: Path | None = None
    """Where the key is … Example: `"/run/secrets/payroll-events"`"""
    secret_variable: Variable | None = None
    """… or in which environment variable. Example: `"PAYROLL_EVENTS_SECRET"`"""

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if (self.secret_file is None) == (self.secret_variable is None):
            raise ValueError(f"key {self.id}: set either secret_file or secret_variable")
        return self


class ProducerConfig(Section):
    """Who may speak for which agents; with any of these nobody else may."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
    """For people to read. Example: `"payroll-runtime"`"""
    agents: Patterns = ("*",)
    """Agent ids as shell patterns that it may speak for. Example: `["payroll-*"]`"""
    topics: Patterns = ("*",)
    """Topics as shell patterns by which it may do so; of a log its path. Example:
    `["agent-actions"]`"""
    keys: tuple[ProducerKeyConfig, ...] = ()
    """Where there are any, events of these agents have to be signed, on every topic. Kafka alone
    has headers to sign in."""


def _differ(producers: Sequence[ProducerConfig]) -> Sequence[ProducerConfig]:
    seen = set[str]()
    for name in (
        *(f"producer {one.name}" for one in producers),
        *(f"key {key.id}" for one in producers for key in one.keys),
    ):
        if name in seen:
            raise ValueError(f"{name} is there twice: give each a name or id of its own")
        seen.add(name)
    return producers


ProducerConfigs = Annotated[tuple[ProducerConfig, ...], AfterValidator(_differ)]
