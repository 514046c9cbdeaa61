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
    """An enforcement point did not confirm an order.

    Parameters
    ----------
    reason
        What went wrong, without any secret.
    retry_after_s
        How long the point asked to be left alone, in seconds.
    """

    def __init__(self, reason: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class Receiver(Protocol):
    """Tells people. `send` blocks for at most the receiver's own time limit."""

    name: str

    def send(
        self, message: Message, key: str, thread: str | None = None, attempt: int = 1
    ) -> str | None:
        """Deliver one message.

        Parameters
        ----------
        message
            What to tell; its texts are hostile until escaped.
        key
            The same for every attempt at the same delivery, so that a repeat can be seen as one.
        thread
            What `send` returned for the first message of the same incident; None for the first.
        attempt
            Which attempt at this delivery it is, over all processes. Above 1 an earlier one may
            have been taken although nobody saw the answer, as after a crash.

        Returns
        -------
        str or None
            Where what follows on this incident belongs, in the receiver's own terms; kept by the
            caller. None if the receiver has no threads.

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
    """Cuts agents off and gives them back.

    Every method is idempotent, may be called from several threads at once, and ends within the
    time that it is given. What was not confirmed by then must not be carried out later: a newer
    order may have been by then. An order whose `order_seq` is lower than the last one that was
    seen for its agent is refused.
    """

    name: str

    def check(self, timeout_s: float = 5.0) -> None:
        """Find out whether orders could be carried out, without changing anything.

        Raises
        ------
        RevokeError
            Saying what is wrong.
        """
        ...

    def revoke(self, order: Order, timeout_s: float) -> None:
        """Cut the agent off, and return once that is confirmed.

        Raises
        ------
        RevokeError
            If the point did not confirm within `timeout_s`.
        """
        ...

    def restore(self, order: Order, timeout_s: float) -> None:
        """Give the agent back, and return once that is confirmed.

        Raises
        ------
        RevokeError
            If the point did not confirm within `timeout_s`.
        """
        ...

    def verify(self, order: Order, timeout_s: float) -> bool | None:
        """Look whether the order is in force now; None where the point cannot be asked.

        Raises
        ------
        RevokeError
            If the point can be asked, and gave no answer.
        """
        ...

    def close(self) -> None:
        """Release connections."""
        ...
