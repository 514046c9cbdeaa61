"""Receivers beside the terminal and Slack: webhooks, Kafka topics, plugins."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from alerting.message import MessageKind
from alerting.notify.record import TABLES, TEXTS, Escape
from alerting.routes import GROUPS, KindGroup
from detectors.finding import Severity
from monitor.config_section import Seconds, Section
from monitor.config_wire import RequestSection, ServerSection, Url, Variable, refuse_secrets_in

RESERVED_NAMES: Final = frozenset({"terminal", "slack"})
QUIET: Final = frozenset[MessageKind](("updated",))
"""Kinds that notify nobody: told only where the settings name them."""
_GROUPS: Final = frozenset[KindGroup](("alerts", "trips"))
"""Those that are not also the name of a kind."""


def _texts(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class WordConfig(Section):
    """What a placeholder of your own says for each value of another one."""

    of: Literal["kind", "group", "severity"]
    """Of which placeholder: kind, group or severity. Example: `"severity"`"""
    say: dict[str, str]
    """What to say for each of its values. Example: `{ critical = "page" }`"""
    otherwise: str | None = None
    """For values that `say` has not. Example: `"notice"`"""

    @model_validator(mode="after")
    def _values_exist(self) -> Self:
        known = set(self._values())
        if unknown := sorted(set(self.say) - known):
            raise ValueError(f"{unknown[0]!r:.60} is no {self.of}; there are {', '.join(known)}")
        return self

    def check_says_all(self, kinds: frozenset[MessageKind]) -> None:
        """Refuse words that have nothing to say for some message of these kinds.

        Raises
        ------
        ValueError
            Naming what is missing.
        """
        needed = kinds if self.of == "kind" else self._values()
        missing = sorted(set(needed) - set(self.say))
        if self.otherwise is None and missing:
            raise ValueError(f"say nothing for {self.of} {missing[0]}; add it, or otherwise")

    def _values(self) -> Sequence[str]:
        match self.of:
            case "kind":
                return get_args(MessageKind)
            case "group":
                return get_args(KindGroup)
        return [severity.label for severity in Severity]


class TellingConfig(RequestSection):
    """A request for messages of some kinds."""

    kinds: Annotated[
        tuple[MessageKind | Literal["alerts", "trips"], ...], BeforeValidator(_texts)
    ] = ()
    """Kinds, such as opened, or the groups alerts and trips. By default all; `updated`, which is to
    notify nobody, only if it is named. Example: `["opened", "raised", "trips"]`"""

    def all_kinds(self) -> frozenset[MessageKind]:
        """The kinds, with those of the groups."""
        return frozenset(
            kind
            for kind, group in GROUPS.items()
            if kind in self.kinds
            or (kind not in QUIET and (not self.kinds or group in _GROUPS & {*self.kinds}))
        )


class ReceiverSection(Section):
    """What every receiver has."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
    """What routes call it. Example: `"pager"`"""
    timeout_s: Seconds = 10.0
    """Of one attempt."""


class WebhookReceiverConfig(ReceiverSection, ServerSection):
    """A server that is told over HTTP."""

    kind: Literal["webhook"]
    url: Url | None = None
    """Where it is … Example: `"https://pager.corp.example/v1"`"""
    url_file: Path | None = None
    """… or a file that holds the URL, if it is a secret, as those of chat tools are … Example:
    `"/run/secrets/pager-url"`"""
    url_variable: Variable | None = None
    """… or an environment variable that does. Example: `"PAGER_URL"`"""
    requests: Annotated[tuple[TellingConfig, ...], Field(min_length=1)] = (TellingConfig(),)
    """The first for a message's kind is sent; a kind that has none is passed over."""
    words: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], WordConfig] = Field(
        default_factory=dict
    )
    """More placeholders, by name."""
    escape: Escape = "none"
    """What the server would read into texts from outside, and so is disarmed in them: none,
    markdown or html."""

    @model_validator(mode="after")
    def _can_be_sent(self) -> Self:
        if (self.url is not None) == self.has("url"):
            raise ValueError("a webhook needs url, or url_file or url_variable, and one of them")
        if not (
            self.url is None or self.has("secret") or self.has("token") or self.client_cert_file
        ):
            raise ValueError(
                "a webhook needs secret_file or secret_variable to be signed with, or a token, a "
                "client certificate, or a URL that is a secret (url_file)"
            )
        if taken := sorted({*TEXTS, *TABLES, "token"} & set(self.words)):
            raise ValueError(f"words.{taken[0]}: ${taken[0]} is there already")
        for number, request in enumerate(self.requests, 1):
            try:
                request.check_placeholders((*TEXTS, *self.words), TABLES)
            except ValueError as error:
                raise ValueError(f"requests, number {number}: {error}") from None
        kinds = frozenset(kind for request in self.requests for kind in request.all_kinds())
        for name, word in self.words.items():
            try:
                word.check_says_all(kinds)
            except ValueError as error:
                raise ValueError(f"words.{name}: {error}") from None
        self.check_token(list(self.requests))
        return self


class KafkaReceiverConfig(ReceiverSection):
    """A topic of the cluster that `[kafka]` names: messages as JSON, keyed by incident or agent."""

    kind: Literal["kafka"]
    topic: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")] = "tripswitch-alerts"
    """Its name; it is made if it does not exist."""


class PluginReceiverConfig(ReceiverSection):
    """An installed package's receiver."""

    kind: Literal["plugin"]
    plugin: str
    """Its name in the entry point group `tripswitch.receivers`. Example: `"tripswitch-signal"`"""
    settings: Annotated[dict[str, Any], AfterValidator(refuse_secrets_in)] = Field(
        default_factory=dict
    )
    """The plugin's own. Example: `{ group = "on-call" }`"""


def _names_differ(receivers: Sequence[ReceiverSection]) -> Sequence[ReceiverSection]:
    seen = set(RESERVED_NAMES)
    for receiver in receivers:
        if receiver.name in seen:
            raise ValueError(f"two receivers are called {receiver.name!r}: rename one")
        seen.add(receiver.name)
    return receivers


ReceiverConfig = Annotated[
    WebhookReceiverConfig | KafkaReceiverConfig | PluginReceiverConfig,
    Field(discriminator="kind"),
]
ReceiverConfigs = Annotated[tuple[ReceiverConfig, ...], AfterValidator(_names_differ)]
