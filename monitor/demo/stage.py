"""Where the demo plays: a directory with a config of its own, and the daemon as a child."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from monitor.config import StoreConfig
from monitor.config_checks import ENV_PREFIX
from monitor.errors import TripswitchError
from monitor.store import Store

_STOP_WITHIN_S: Final = 15.0
_CONFIG: Final = """\
# Written by `tripswitch demo`.
[source]
kind = "log"
path = {events}

[store]
url = {store}
checkpoint_interval_s = 1.0   # so that the demo soon knows what was learned

[budget]
alerts_per_agent_per_week = 50   # these agents do a week's work in a day

# A rule that a person wrote; what was learned from the past comes on top of it.
[[boundaries]]
roles = ["payroll"]
targets = ["EMP-*", "tax/*", "https://*/*", "*@corp.example"]
severity = "critical"

[[trip.rules]]
name = "payroll-boundary"
mode = "enforce"
severity = "critical"
detectors = ["boundary"]
roles = ["payroll"]

[trip]
silent_after_s = 6.0
allowed_skew_s = 0.5
"""


class DemoError(TripswitchError):
    """A step of the demo did not happen; the message says which, and where to look."""


class InterruptedDemoError(DemoError):
    """Somebody wants the demo to end."""


class Stage:
    """A directory, its config, its store, and the daemon that runs on them.

    Parameters
    ----------
    directory
        Made if it is missing; what the demo writes stays there.
    interrupted
        Once it is set, the next `check` ends the demo.

    Attributes
    ----------
    config, events
        The daemon's settings and the event log that it follows.
    store
        Open, with its tables made before the daemon wants them.
    """

    def __init__(self, directory: Path, interrupted: threading.Event | None = None) -> None:
        self.directory = directory
        self._interrupted = interrupted or threading.Event()
        self.config = directory / "tripswitch.toml"
        self.events = directory / "events.jsonl"
        self.log = directory / "daemon.log"
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DemoError(f"{directory}: {error.strerror}") from None
        # A file left by an earlier demo is not taken up: its agents may be cut off.
        taken = [path.name for path in (self.config, self.events) if path.exists()]
        if taken:
            raise DemoError(f"{directory} holds {taken[0]} already; name an empty directory")
        url = f"sqlite:///{directory / 'ledger.db'}"
        # JSON's strings are TOML's.
        text = _CONFIG.format(events=json.dumps(str(self.events)), store=json.dumps(url))
        self.config.write_text(text, "utf-8")
        self.events.touch()
        self.store = Store.open(StoreConfig(url=url))
        self._daemon: subprocess.Popen[str] | None = None

    def start(self, on_line: Callable[[str], None]) -> None:
        """Start `tripswitch run`; `on_line` is called from a thread with each line it prints."""
        # The settings of whoever plays the demo must not lead it to their own Kafka or store.
        environ = {k: v for k, v in os.environ.items() if not k.upper().startswith(ENV_PREFIX)}
        with self.log.open("w") as log:
            daemon = subprocess.Popen(  # noqa: S603  our own interpreter and code
                [sys.executable, "-m", "monitor", "run", "--config", str(self.config)],
                env=environ | {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # Ctrl-C is for us alone; we stop it in good order
            )
        self._daemon = daemon

        def pump() -> None:
            assert daemon.stdout is not None
            with daemon.stdout as lines:
                for line in lines:
                    on_line(line.rstrip("\n"))

        threading.Thread(target=pump, name="daemon-output", daemon=True).start()

    def check(self) -> None:
        """See that the daemon lives, and that nobody wants the demo to end.

        Raises
        ------
        DemoError
            If it ended.
        InterruptedDemoError
            If somebody does.
        """
        if self._interrupted.is_set():
            raise InterruptedDemoError(f"interrupted; what was written is in {self.directory}")
        if self._daemon is not None and self._daemon.poll() is not None:
            last = self.log.read_text("utf-8", "replace").strip().splitlines()[-1:]
            raise DemoError(
                f"the daemon ended with exit code {self._daemon.returncode}: "
                f"{last[0] if last else 'it said nothing'} (all of it in {self.log})"
            )

    def stop(self) -> int | None:
        """Stop the daemon and close the store; returns the daemon's exit code."""
        code = None
        if self._daemon is not None:
            self._daemon.terminate()
            try:
                code = self._daemon.wait(_STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                self._daemon.kill()
                code = self._daemon.wait()
        self.store.close()
        return code
