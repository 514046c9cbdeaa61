"""Producers: who may speak for which agent, by the topic alone or proven by a signature.

Signed are the bytes of a record's value, by HMAC-SHA256; the record's header `HEADER` is `v1:`, the
id of the key, `:`, and the signature in lower-case hexadecimal. The rules:

1. A signature that is there has to be right, and of a producer that may speak for this agent on
   this topic.
2. Without one, an agent for which any producer signs is nobody's to speak for, on whatever topic.
3. For other agents a producer without keys has to be listed for this agent and topic.
"""

import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from alerting.wire.answer import WireError
from baselines.event import EventError
from monitor.config import Config
from monitor.config_map import KEY
from monitor.config_producers import ProducerKeyConfig
from monitor.errors import UsageError
from monitor.wire import read_secret, refuse_short_secret

HEADER: Final = "tripswitch-signature"
Headers = Iterable[tuple[str, bytes | None]]

_SIGNATURE: Final = re.compile(rb"v1:([A-Za-z0-9._-]{1,64}):([0-9a-f]{64})")
_REMEMBERED: Final = 10_000
_SHOWN: Final = 80


class ImpostorError(EventError):
    """An event from who may not speak for its agent; what is quoted stands behind `(got`."""


@dataclass(frozen=True, slots=True)
class Producer:
    """Who reports, with the secrets of its keys by their ids.

    Attributes
    ----------
    agents, topics
        Shell patterns: for whom it speaks, and where.
    """

    name: str
    agents: tuple[str, ...]
    topics: tuple[str, ...]
    secrets: Mapping[str, bytes] = field(repr=False)


class Producers:
    """Tells events of who may speak for their agents from those of impostors."""

    def __init__(self, producers: Sequence[Producer]) -> None:
        self._owners = {
            key: (one.name, secret) for one in producers for key, secret in one.secrets.items()
        }

        def speakers(topic: str, agent_id: str) -> tuple[frozenset[str], bool]:
            """Names of those who may speak for it there; whether they have to sign."""
            may = [one for one in producers if _fits(agent_id, one.agents)]
            here = frozenset(one.name for one in may if _fits(topic, one.topics))
            return here, any(one.secrets for one in may)

        # Most events are of agents that were seen before, and there may be many patterns.
        self._speakers: Callable[[str, str], tuple[frozenset[str], bool]]
        self._speakers = lru_cache(_REMEMBERED)(speakers)

    def vet(self, topic: str, agent_id: str, value: bytes, headers: Headers) -> None:
        """Let an event pass.

        Parameters
        ----------
        topic
            Where it was read: a topic, or a log's path.
        agent_id
            For whom it speaks.
        value, headers
            The record's.

        Raises
        ------
        ImpostorError
            If who sent it may not speak for this agent, or does not prove it.
        """
        speakers, have_to_sign = self._speakers(topic, agent_id)
        signed = [of for name, of in headers if name == HEADER]
        if signed:
            signer = self._signer(signed[-1] or b"", value)
            if signer in speakers:
                return
            why = f"producer {signer} may not speak for this agent here"
        elif have_to_sign:
            why = "not signed, as events of this agent have to be"
        elif speakers:
            return
        else:
            why = "no producer may speak for this agent here"
        raise ImpostorError(f"{why} (got agent {agent_id[:_SHOWN]!r})")

    def _signer(self, header: bytes, value: bytes) -> str:
        """The name of who signed the value."""
        parts = _SIGNATURE.fullmatch(header)
        if parts is None:
            raise ImpostorError(f"header {HEADER} is not v1:KEY:HEX (got {header[:_SHOWN]!r})")
        key, signature = parts[1].decode(), parts[2]
        if key not in self._owners:
            raise ImpostorError(f"signed with a key that nobody has (got key {key!r})")
        owner, secret = self._owners[key]
        right = hmac.digest(secret, value, "sha256").hex().encode()
        if not hmac.compare_digest(right, signature):
            raise ImpostorError(f"the signature does not fit the record (got key {key!r})")
        return owner


def open_producers(config: Config) -> Producers | None:
    """Who may speak, as the settings say; None where they say nothing, and everybody may.

    Raises
    ------
    UsageError
        If a secret cannot be had, or what a signature is to prove is nothing that it covers.
    """
    if not config.producers:
        return None
    if any(one.keys for one in config.producers):
        if config.source.kind != "kafka":
            raise UsageError(
                f"source.kind is {config.source.kind}: its records have no headers to be signed "
                "in; leave out the keys of the producers, and say by agents whom they speak for"
            )
        for name, one in config.source.map.items():
            if KEY in one.path:
                raise UsageError(
                    f"source.map.{name} is read from the record's key, which no signature covers: "
                    "map it from the value, or leave out the keys of the producers"
                )
    return Producers(
        [
            Producer(one.name, one.agents, one.topics, {key.id: _secret(key) for key in one.keys})
            for one in config.producers
        ]
    )


def _secret(key: ProducerKeyConfig) -> bytes:
    try:
        secret = read_secret(key.secret_file, key.secret_variable) or ""
    except WireError as error:
        raise UsageError(f"producers: key {key.id}: {error}") from None
    refuse_short_secret(secret)
    return secret.encode()


def _fits(text: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)
