"""The real daemon and the real command line, as processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.kit.frozen import freeze

PATIENCE_S: Final = 90.0
_COMMAND: Final = [sys.executable, "-m", "monitor"]


class Daemon:
    """One `tripswitch run`.

    Parameters
    ----------
    directory
        For its log.
    settings
        Environment variables, such as `TRIPSWITCH_STORE__URL`.
    command
        How it is started.
    """

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, str],
        command: Sequence[str] = (*_COMMAND, "run"),
    ) -> None:
        self.log = directory / "daemon.log"
        self._settings = settings
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and return at once."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env={**os.environ, **self._settings}, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        return self._end(signal.SIGTERM)

    def reload(self) -> None:
        """Ask it to read its settings again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def freeze(self) -> None:
        """Have it do nothing, as a host that swaps or a virtual machine that moves."""
        assert self._process is not None
        freeze(self._process)

    def thaw(self) -> None:
        """Go on after `freeze`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def _end(self, how: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        return self._process.wait(timeout=PATIENCE_S)

    def wait_for(self, what: Callable[[], bool]) -> None:
        """Wait until something holds; fails with the daemon's log if it never does."""
        deadline = time.monotonic() + PATIENCE_S
        while not what():
            told = self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, f"waited in vain; the daemon said:\n{told}"
            assert self.is_running(), f"the daemon ended:\n{told}"
            time.sleep(0.05)


def tripswitch(
    settings: Mapping[str, str], *arguments: str
) -> tuple[int, list[dict[str, Any]], str]:
    """Run one command; its exit code, the JSON objects on stdout, and stderr."""
    ended = subprocess.run(
        [*_COMMAND, *arguments],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    documents = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]
    return ended.returncode, documents, ended.stderr
