"""The heartbeat: a URL is called while all is well, so that somebody notices when it is not."""

import logging
import threading
import time
from collections.abc import Callable, Iterator

import httpx

from alerting.health import Trouble
from monitor.config_health import HeartbeatConfig

log = logging.getLogger(__name__)


class Heartbeat(threading.Thread):
    """Calls the URL from a thread of its own, and never while `is_well` denies.

    Parameters
    ----------
    settings
        With a URL.
    is_well
        Whether nothing critical is wrong, and the worker's loop turns.
    """

    def __init__(self, settings: HeartbeatConfig, is_well: Callable[[], bool]) -> None:
        super().__init__(name="heartbeat", daemon=True)
        assert settings.url is not None
        self._url = settings.url.get_secret_value()
        self._settings = settings
        self._is_well = is_well
        self._stopping = threading.Event()
        self._failing: str | None = None
        self.beats = 0
        """How many calls were answered with success."""

    def run(self) -> None:
        """Beat until stopped."""
        with httpx.Client(timeout=self._settings.timeout_s, follow_redirects=False) as client:
            while not self._stopping.is_set():
                began_s = time.monotonic()
                if self._is_well():
                    self._beat(client)
                spent_s = time.monotonic() - began_s
                self._stopping.wait(max(0.1, self._settings.interval_s - spent_s))

    def stop(self) -> None:
        """Beat no more."""
        self._stopping.set()
        if self.is_alive():
            self.join(self._settings.timeout_s)

    def troubles(self, now_s: float) -> Iterator[Trouble]:
        """That the calls fail, as a probe."""
        del now_s
        if self._failing is not None:
            yield Trouble("heartbeat", "heartbeat.url", f"the call fails: {self._failing}")

    def _beat(self, client: httpx.Client) -> None:
        # Never the URL, nor the text of an error: whoever has it can say that all is well.
        try:
            with client.stream("GET", self._url) as answer:
                failing = None if answer.is_success else f"status {answer.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            failing = type(error).__name__
        if failing is None:
            self.beats += 1
            if self._failing is not None:
                log.info("heartbeat.url is reached again")
        elif self._failing is None:
            log.warning("heartbeat.url: %s", failing)
        self._failing = failing
