"""Tells people on a terminal, or in whatever the output is redirected to."""

import threading
from typing import Final, TextIO

from rich.console import Console
from rich.text import Text

from alerting.message import Message
from alerting.ports import DeliveryError
from alerting.render import clean, render_text
from detectors.finding import Severity

_STYLES: Final = {
    Severity.LOW: "cyan",
    Severity.MEDIUM: "yellow",
    Severity.HIGH: "bold red",
    Severity.CRITICAL: "bold white on red",
}


class TerminalReceiver:
    """Writes messages to a text stream, in colour only if it is a terminal.

    Parameters
    ----------
    stream
        Where to write; stays open. A character that its encoding lacks is shown escaped.
    """

    name = "terminal"

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(
        self,
        message: Message,
        key: str,
        thread: str | None = None,  # noqa: ARG002 - a terminal has no threads
        attempt: int = 1,  # noqa: ARG002 - and cannot be searched
    ) -> None:
        """Write one message at once, so that lines of two messages never mix.

        Nothing can be changed that was written, so what only changes it is passed over.

        Raises
        ------
        DeliveryError
            If the stream takes nothing: for good once it is closed, retryable if its disk is full.
        """
        if message.kind == "updated":
            return
        first, *rest = [*render_text(message), f"  delivery {clean(key, 12)}"]
        try:
            if self._stream.isatty():
                first = self._styled(first, _STYLES[message.severity])
            text = "\n".join([first, *rest, ""])
            encoding = getattr(self._stream, "encoding", None) or "utf-8"
            with self._lock:
                self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
                self._stream.flush()
        except (BrokenPipeError, ValueError):
            raise DeliveryError("the terminal is gone", retryable=False) from None
        except OSError as error:
            raise DeliveryError(f"terminal: {error.strerror}", retryable=True) from None

    def close(self) -> None:
        """Leave the stream to whoever opened it."""

    def _styled(self, line: str, style: str) -> str:
        """The line as Rich would print it; it must not print, for it exits on a broken pipe."""
        console = Console(file=self._stream, force_terminal=True, soft_wrap=True, highlight=False)
        with console.capture() as capture:
            console.print(Text(line, style=style), end="")
        return capture.get()
