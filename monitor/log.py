"""Logs: readable lines, or JSON, on stderr. Names and texts from events are made safe first."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final

from alerting.render import clean

_MAX_LINE_CHARS: Final = 2000


class SafeFormatter(logging.Formatter):
    """Formats a record as one line that no terminal interprets and no event can fake."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; a traceback, if there is one, follows on lines of its own."""
        trace = record.exc_info
        record.exc_info = None
        line = clean(super().format(record), _MAX_LINE_CHARS)
        record.exc_info = trace
        return f"{line}\n{self.formatException(trace)}" if trace else line


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object a line, in ASCII, for what gathers logs."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "thread": record.threadName,
            "message": clean(record.getMessage(), _MAX_LINE_CHARS),
        }
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return json.dumps(told)


def set_up(*, verbose: bool = False, as_json: bool = False) -> None:
    """Send this service's log to stderr; libraries only from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter()
        if as_json
        else SafeFormatter(
            "%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S%z"
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for floor in ("monitor", "alerting", "detectors", "baselines"):
        logging.getLogger(floor).setLevel(logging.DEBUG if verbose else logging.INFO)
    # Its retries fill a screen; what matters of them becomes one line of ours.
    logging.getLogger("kafka").setLevel(logging.WARNING if verbose else logging.CRITICAL)
    # A job that takes longer than its interval is not begun twice: no news.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
