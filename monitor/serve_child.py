"""The HTTP API as a child of the daemon: started, started again when it dies, ended with it."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

log = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
_STEADY_AFTER_S: Final = 60.0
"""A child that lived so long did not fail for a lasting reason."""
_STOP_WITHIN_S: Final = 5.0


def command(config: Path | None) -> list[str]:
    """The command line of the child, which reads the same settings."""
    named = [] if config is None else ["--config", str(config)]
    return [sys.executable, "-m", "monitor", "serve", "--while-stdin-is-open", *named]


class ServeChild:
    """Keeps one child running while its context is open.

    The child's standard input is a pipe that nobody writes to: it ends when this process does,
    however that ends. Nothing here runs on the worker's thread.
    """

    def __init__(self, arguments: Sequence[str], *, first_pause_s: float = _FIRST_PAUSE_S) -> None:
        self._arguments = list(arguments)
        self._first_pause_s = first_pause_s
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self.ended_at_s: float | None = None
        """When the child last ended by itself, on the monotonic clock."""
        self.ended = ""
        """With what."""
        self._thread = threading.Thread(target=self._keep, name="serve-child", daemon=True)

    @property
    def pid(self) -> int | None:
        """Of the child that runs now."""
        with self._lock:
            return None if self._child is None else self._child.pid

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        with self._lock:
            self._stopping.set()
            child = self._child
        if child is not None:
            child.terminate()
        self._thread.join(_STOP_WITHIN_S)
        if child is not None and child.poll() is None:
            child.kill()
        self._thread.join(_STOP_WITHIN_S)

    def _keep(self) -> None:
        pause_s = self._first_pause_s
        while not self._stopping.is_set():
            began_s = time.monotonic()
            ended = self._run()
            if self._stopping.is_set():
                return
            self.ended_at_s, self.ended = time.monotonic(), ended
            if time.monotonic() - began_s > _STEADY_AFTER_S:
                pause_s = self._first_pause_s
            log.error("serve ended with %s; it is started again in %.0f s", ended, pause_s)
            self._stopping.wait(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _run(self) -> str:
        """Run the child until it ends; with what it ended."""
        try:
            with self._lock:
                if self._stopping.is_set():
                    return "nothing"
                self._child = subprocess.Popen(  # noqa: S603 # our own command
                    self._arguments,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,  # ours may be for JSON
                    start_new_session=True,  # Ctrl-C is for this process, which then ends it
                )
        except OSError as error:
            return str(error)
        with self._child as child:
            code = child.wait()
        return f"signal {-code}" if code < 0 else f"exit code {code}"
