"""A receiver of another package, held to what the dispatcher relies on: a name and an end."""

import queue
import threading
from typing import Final

from alerting.message import Message
from alerting.ports import DeliveryError, Receiver
from alerting.render import clean

MAX_UNFINISHED: Final = 4
_MAX_REASON_CHARS: Final = 300
_Outcome = str | Exception | None


class BoundedReceiver:
    """Lets another receiver send for so long, and hides what it did not mean to say.

    Parameters
    ----------
    name
        Of the receiver, as the settings call it.
    receiver
        Who sends.
    timeout_s
        Longest time that one attempt may take, in seconds. What outlasts it is left to a daemon
        thread; while `MAX_UNFINISHED` of these hang, nothing more is begun.
    """

    def __init__(self, name: str, receiver: Receiver, timeout_s: float) -> None:
        self.name = name
        self._receiver = receiver
        self._timeout_s = timeout_s
        self._room = threading.BoundedSemaphore(MAX_UNFINISHED)

    def send(
        self, message: Message, key: str, thread: str | None = None, attempt: int = 1
    ) -> str | None:
        """Let it send.

        Raises
        ------
        DeliveryError
            Its own, bounded; or one of ours, if it did not end in time or failed otherwise.
        """
        if not self._room.acquire(blocking=False):
            raise DeliveryError(f"{MAX_UNFINISHED} earlier attempts still hang", retryable=True)
        outcome: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()

        def run() -> None:
            try:
                outcome.put(self._receiver.send(message, key, thread, attempt))
            except Exception as error:
                outcome.put(error)
            finally:
                self._room.release()

        threading.Thread(target=run, name=f"send-{self.name}", daemon=True).start()
        try:
            found = outcome.get(timeout=self._timeout_s)
        except queue.Empty:
            raise DeliveryError(
                f"did not end within {self._timeout_s:g} s", retryable=True
            ) from None
        if isinstance(found, DeliveryError):
            raise DeliveryError(
                clean(found.reason, _MAX_REASON_CHARS),
                retryable=found.retryable,
                retry_after_s=found.retry_after_s,
            ) from None
        if isinstance(found, Exception):  # its text may hold a secret
            raise DeliveryError(f"failed with {type(found).__name__}", retryable=True) from None
        return found

    def close(self) -> None:
        """Release the receiver's connections."""
        self._receiver.close()
