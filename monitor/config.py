"""Settings: one TOML file into frozen models, environment variables above it.

Every key has a default; with no file at all the embedded default runs. Secrets come from the
environment or from a file that a `*_file` key names, never from the TOML itself.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeVar

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from baselines.event import Effect
from monitor.config_boundaries import AgentsConfig, BoundaryConfig
from monitor.config_checks import ENV_PREFIX, SECRET_KEYS, hint, reasons, refuse_secrets
from monitor.config_detection import (
    BudgetConfig,
    CombinationConfig,
    DriftConfig,
    LearningConfig,
    PrivilegeConfig,
)
from monitor.config_health import DigestConfig, HealthConfig, HeartbeatConfig
from monitor.config_points import PointConfigs
from monitor.config_producers import ProducerConfigs
from monitor.config_receivers import KafkaReceiverConfig, ReceiverConfigs
from monitor.config_retention import HistoryConfig, RetentionConfig
from monitor.config_routes import OwnerConfigs, RouteConfigs, Texts, check_receivers
from monitor.config_section import Seconds, Section
from monitor.config_serve import ServeConfig
from monitor.config_slack import SlackConfig
from monitor.config_source import KafkaConfig, SourceConfig
from monitor.config_trip import TripConfig
from monitor.errors import UsageError

COMMAND_LINE_VARIABLES: Final = frozenset({"config", "server", "token", "token_file"})
"""Variables of the command line itself, such as TRIPSWITCH_CONFIG."""

MAX_BYTES: Final = 1 << 20
"""Of a settings file."""

SectionT = TypeVar("SectionT", bound=Section)


class StoreConfig(Section):
    """Where state is kept."""

    url: str | None = None
    """SQLAlchemy URL; by default SQLite in `$XDG_STATE_HOME/tripswitch/`. PostgreSQL takes more
    than one host. Example: `"postgresql+psycopg://tripswitch@localhost/tripswitch"`"""
    password: SecretStr | None = None
    """The database's password."""
    password_file: Path | None = None
    """A file that holds it. Example: `"/run/secrets/postgres"`"""
    checkpoint_interval_s: Seconds = 5.0
    """How often profiles and offsets are saved: so much is read again after a crash."""
    max_resident_agents: Annotated[int, Field(ge=1)] = 250_000
    """So many profiles stay in memory, a few kilobytes each; the others load from the store on an
    agent's next event."""
    max_active_agents: Annotated[int, Field(ge=1)] = 5_000
    """Of these so many are ready for the next event, several times as large; it takes a
    millisecond to make another one ready, and those go that have not acted for longest."""

    @field_validator("url")
    @classmethod
    def _is_url(cls, url: str | None) -> str | None:
        if url is not None:
            try:
                backend = make_url(url).get_backend_name()
            except ArgumentError:
                raise ValueError(
                    "is no SQLAlchemy URL such as postgresql+psycopg://user@host/db"
                ) from None
            if backend not in ("sqlite", "postgresql"):
                raise ValueError(f"names {backend}; sqlite and postgresql are supported")
        return url


class AlertsConfig(Section):
    """How alerts live."""

    quiet_s: Seconds = 3600.0
    """An alert without a new anomaly for this long is resolved."""
    together_s: Seconds = 300.0
    """Agents of one role or version that turn odd within this are one incident."""
    storm_agents: Annotated[int, Field(ge=2, le=1000)] = 50
    """More agents than this that turn odd within `together_s` are one incident, whoever."""
    remind_s: Seconds = 14_400.0
    """A high or critical incident that nobody acknowledges is told again after this, then after
    twice as long each time, up to a day."""
    terminal: bool = True
    """Whether alerts are printed to the daemon's standard output."""
    fallback: Texts = ()
    """Receivers of what no route takes, and of what all others refused; by default every one.
    Example: `["terminal"]`"""


class MetricsConfig(Section):
    """Figures for Prometheus, served by the daemon."""

    host: str = "127.0.0.1"
    """On which address. Whoever reaches it may read: it asks for no token."""
    port: Annotated[int, Field(ge=0, le=65_535)] | None = None
    """Where `/metrics`, `/livez` and `/readyz` are; off by default, 0 for any free one. Example:
    `9464`"""


class LogConfig(Section):
    """What the daemon and `serve` write to standard error."""

    format: Literal["text", "json"] = "text"
    """text: a readable line each; json: an object a line, with time, level, logger and message."""


class Config(BaseSettings):
    """All settings."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=ENV_PREFIX, env_nested_delimiter="__"
    )

    source: SourceConfig = SourceConfig()
    producers: ProducerConfigs = ()
    kafka: KafkaConfig = KafkaConfig()
    store: StoreConfig = StoreConfig()
    budget: BudgetConfig = BudgetConfig()
    learning: LearningConfig = LearningConfig()
    drift: DriftConfig = DriftConfig()
    privilege: PrivilegeConfig = PrivilegeConfig()
    combination: CombinationConfig = CombinationConfig()
    agents: AgentsConfig = AgentsConfig()
    boundaries: tuple[BoundaryConfig, ...] = ()
    effects: dict[str, Effect] = {}
    """What a tool does to the world, where name and action do not tell: read, write, external or
    destructive. Example: `{ fax_gateway = "external" }`"""
    alerts: AlertsConfig = AlertsConfig()
    slack: SlackConfig = SlackConfig()
    receivers: ReceiverConfigs = ()
    routes: RouteConfigs = ()
    owners: OwnerConfigs = ()
    trip: TripConfig = TripConfig()
    points: PointConfigs = ()
    metrics: MetricsConfig = MetricsConfig()
    log: LogConfig = LogConfig()
    health: HealthConfig = HealthConfig()
    heartbeat: HeartbeatConfig = HeartbeatConfig()
    digest: DigestConfig = DigestConfig()
    serve: ServeConfig = ServeConfig()
    history: HistoryConfig = HistoryConfig()
    retention: RetentionConfig = RetentionConfig()

    @model_validator(mode="after")
    def _kafka_is_named(self) -> Self:
        if self.source.kind == "kafka" and not self.kafka.bootstrap_servers:
            raise ValueError("source.kind is kafka: set kafka.bootstrap_servers")
        for receiver in self.receivers:
            if isinstance(receiver, KafkaReceiverConfig) and not self.kafka.bootstrap_servers:
                name = receiver.name
                raise ValueError(f"receiver {name} is a topic: set kafka.bootstrap_servers")
        return self

    @model_validator(mode="after")
    def _routes_lead_somewhere(self) -> Self:
        check_receivers(self.routes, self.alerts.fallback, self.receiver_names)
        return self

    @property
    def receiver_names(self) -> tuple[str, ...]:
        """Who can be told: the terminal, Slack where a channel is set, and every other receiver."""
        terminal = ("terminal",) if self.alerts.terminal else ()
        slack = ("slack",) if self.slack.channel else ()
        return (*terminal, *slack, *(receiver.name for receiver in self.receivers))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes above the file, whose content `load` passes as arguments."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


def state_dir() -> Path:
    """`$XDG_STATE_HOME/tripswitch`, or what the platform uses in its place."""
    return Path(platformdirs.user_state_dir("tripswitch"))


def load(path: Path | None = None) -> Config:
    """Read the settings from a TOML file, if one is given, and from the environment.

    Raises
    ------
    UsageError
        If the file cannot be read, a key is unknown, a value is wrong, or a secret stands in it.
    """
    data: dict[str, Any] = {}
    if path is not None:
        try:
            with path.open("rb") as file:
                text = file.read(MAX_BYTES + 1)
            if len(text) > MAX_BYTES:
                raise UsageError(
                    f"config {path}: more than {MAX_BYTES} bytes; is it the right file?"
                )
            data = tomllib.loads(text.decode())
        except OSError as error:
            raise UsageError(
                f"config {path}: {error.strerror}; name the file with --config, or make one: "
                "`tripswitch config --example`"
            ) from None
        except ValueError as error:  # no TOML, no UTF-8, or a number of thousands of digits
            raise UsageError(
                f"config {path}: {error}; it is to be TOML in UTF-8, as `tripswitch config "
                "--example` prints it"
            ) from None
        except RecursionError:
            raise UsageError(
                f"config {path}: it is nested too deeply; `tripswitch config --example` prints "
                "every key there is"
            ) from None
        refuse_secrets(data, path)
    _refuse_unknown_variables(os.environ)
    try:
        config = Config(**data)
    except ValidationError as error:
        where = f"{path} and the environment" if path else "the environment"
        raise UsageError(
            f"config ({where}): {reasons(error, Config)}; `tripswitch config --example` explains "
            "every key"
        ) from None
    except SettingsError as error:
        raise UsageError(
            f"config (the environment): {error}; write lists and tables in it as JSON"
        ) from None
    return config.model_copy(
        update={
            "kafka": _read_secret_files(config.kafka),
            "store": _read_secret_files(config.store),
            "slack": _read_secret_files(config.slack),
        }
    )


def _read_secret_files(section: SectionT) -> SectionT:
    """The section with each secret whose `*_file` is set read from that file."""
    found: dict[str, SecretStr] = {}
    for key in SECRET_KEYS & set(type(section).model_fields):
        file: Path | None = getattr(section, f"{key}_file")
        if file is not None and getattr(section, key) is None:
            try:
                found[key] = SecretStr(file.read_text("utf-8").strip())
            except (OSError, UnicodeDecodeError) as error:
                said = getattr(error, "strerror", None) or error
                raise UsageError(
                    f"config: {key}_file {file}: {said}; point it at a file of text that this "
                    "user may read"
                ) from None
    return section.model_copy(update=found)


def _refuse_unknown_variables(environ: Mapping[str, str]) -> None:
    """A misspelt section in a variable would be ignored in silence by the settings library."""
    for name in environ:
        if name.upper().startswith(ENV_PREFIX):
            section = name[len(ENV_PREFIX) :].split("__")[0].lower()
            if section not in Config.model_fields and section not in COMMAND_LINE_VARIABLES:
                raise UsageError(f"environment: {name}: {hint(section, Config.model_fields)}")
