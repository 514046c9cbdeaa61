"""The protocols through which policy and adapters meet the outside."""

from typing import Protocol

from alerting.killswitch import Order
from alerting.message import Message


class DeliveryError(Exception):
    """A receiver did not take a message.

    Parameters
    ----------
    reason
        What went wrong, without any secret.
    retryable
        Whether the same message may be taken later.
    retry_after_s
        How long the receiver asked to be left alone, in seconds.
    """

    def __init__(self, reason: str, *, retryable: bool, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retryable = retryable
        self.retry_after_s = retry_after_s


class RevokeError(Exception):
    """An enforcement point did not confirm an order; the message says why, without any secret."""


class Receiver(Protocol):
    """Tells people. `send` blocks for at most the receiver's own time limit."""

    name: str

    def send(self, message: Message, key: str) -> None:
        """Deliver one message.

        Parameters
        ----------
        message
            What to tell; its texts are hostile until escaped.
        key
            The same for every attempt at the same delivery, so that a repeat can be seen as one.

        Raises
        ------
        DeliveryError
            If the receiver did not take it.
        """
        ...

    def close(self) -> None:
        """Release connections."""
        ...


class EnforcementPoint(Protocol):
    """Cuts agents off and gives them back. Idempotent; ignores orders lower than the last seen."""

    name: str

    def apply(self, order: Order, timeout_s: float) -> None:
        """Carry out a revoke or restore order, and return once it is confirmed.

        Raises
        ------
        RevokeError
            If the point did not confirm within `timeout_s`.
        """
        ...

    def close(self) -> None:
        """Release connections."""
        ...
