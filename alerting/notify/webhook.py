"""A receiver that is told over HTTP, by requests that the settings describe.

So pagers and chat tools can be fed by settings alone. Each request is signed and carries an
idempotency key, the same for every attempt at one delivery.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alerting.message import Message, MessageKind
from alerting.notify.record import Escape, record, values
from alerting.ports import DeliveryError
from alerting.wire.answer import WireError, refused
from alerting.wire.request import RequestTemplate
from alerting.wire.sender import Sender


@dataclass(frozen=True, slots=True)
class Telling:
    """How messages of these kinds are told."""

    kinds: frozenset[MessageKind]
    request: RequestTemplate


@dataclass(frozen=True, slots=True)
class Word:
    """A placeholder of the settings' own: what to say for each value of another one."""

    of: str
    say: Mapping[str, str]
    otherwise: str = ""


class WebhookReceiver:
    """Tells one server.

    Parameters
    ----------
    name
        Of the receiver.
    sender
        How to reach it.
    tellings
        The first that is for a message's kind is used; without one the message is passed over.
    words
        More placeholders, by name.
    escape
        What the server would read into texts.
    timeout_s
        Longest time that one attempt may take, in seconds.
    """

    def __init__(
        self,
        name: str,
        sender: Sender,
        tellings: Sequence[Telling],
        *,
        words: Mapping[str, Word] | None = None,
        escape: Escape = "none",
        timeout_s: float = 10.0,
    ) -> None:
        self.name = name
        self._sender = sender
        self._tellings = tellings
        self._words = words or {}
        self._escape = escape
        self._timeout_s = timeout_s

    def send(
        self,
        message: Message,
        key: str,
        thread: str | None = None,  # noqa: ARG002 - the incident's id in the request is the thread
        attempt: int = 1,  # noqa: ARG002 - the key tells that it is a repeat
    ) -> None:
        """Tell the server.

        Raises
        ------
        DeliveryError
            If it did not say in time that it took the message.
        """
        telling = next((one for one in self._tellings if message.kind in one.kinds), None)
        if telling is None:
            return
        request, told = telling.request, values(message, key, self._escape)
        for name, word in self._words.items():
            told[name] = word.say.get(told[word.of], word.otherwise)
        try:
            answer = self._sender.send(
                request,
                told,
                record(message, key),
                self._timeout_s,
                key=key,
                is_enough=request.is_done,
            )
            if not request.is_done(answer.status):
                raise refused(f"a message ({message.kind})", answer)
        except WireError as error:
            raise DeliveryError(
                f"{self.name} {error}",
                retryable=error.retryable,
                retry_after_s=error.retry_after_s,
            ) from None

    def close(self) -> None:
        """Nothing is kept open between messages."""
