"""Sends a fleet's actions off: paced, through the gateway, to a sink, with the truth aside."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from monitor.simulate.gateway import Desk, Gateway
from monitor.simulate.sink import Sink
from monitor.simulate.work import Act

_WORTH_SLEEPING_S: Final = 0.002
_NAP_S: Final = 0.2
"""No single sleep is longer, so that Ctrl-C and a full disk are noticed at once."""


@dataclass
class Summary:
    """What was sent."""

    events: int = 0
    denied: int = 0
    agents: set[str] = field(default_factory=set)
    incidents: Counter[str] = field(default_factory=Counter)
    first: datetime | None = None
    last: datetime | None = None
    seconds: float = 0.0
    interrupted: bool = False

    def add(self, act: Act) -> None:
        """Count one event that was sent."""
        event = act.event
        self.events += 1
        self.denied += event.status == "denied"
        self.agents.add(event.agent_id)
        if act.incident is not None:
            self.incidents[act.incident] += 1
        self.first = self.first or event.time
        self.last = event.time

    def document(self) -> dict[str, Any]:
        """The summary as `--json` prints it."""
        return {
            "events": self.events,
            "denied": self.denied,
            "agents": len(self.agents),
            "incidents": dict(self.incidents),
            "first": self.first and self.first.isoformat(),
            "last": self.last and self.last.isoformat(),
            "seconds": round(self.seconds, 3),
            "events_per_s": round(self.events / self.seconds, 1) if self.seconds else None,
            "interrupted": self.interrupted,
        }


@dataclass
class Pace:
    """When the next event is due.

    Parameters
    ----------
    speed
        Simulated seconds a second; 0: no waiting.
    rate
        Events a second, whatever their times; None: by `speed`.
    live
        Whether events carry the time at which they are sent.
    clock, sleep
        Seconds since the epoch; waits for seconds.
    """

    speed: float = 0.0
    rate: float | None = None
    live: bool = False
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def due_s(self, began_s: float, tried: int, simulated_s: float) -> float:
        """When an event is due that follows `tried` others, `simulated_s` after the start."""
        if self.rate is not None:
            return began_s + tried / self.rate
        return began_s + simulated_s / self.speed if self.speed else began_s


def send(
    acts: Iterable[Act],
    start_s: float,
    sink: Sink,
    gateway: Gateway,
    pace: Pace,
    truth: Sink | None = None,
    summary: Summary | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Summary:
    """Send actions until they end, `stop` says so, or Ctrl-C.

    Parameters
    ----------
    start_s
        The simulated time at which pacing begins, in seconds since the epoch.
    truth
        Takes one JSON line for each event that belongs to an incident.
    summary
        Counted into while it goes, for those who watch.

    Raises
    ------
    SinkError
        If events cannot be written.
    """
    summary = summary if summary is not None else Summary()
    desk, began_s = Desk(gateway), pace.clock()
    try:
        for tried, act in enumerate(acts):
            due_s = pace.due_s(began_s, tried, act.event.time.timestamp() - start_s)
            if due_s - pace.clock() > _WORTH_SLEEPING_S:
                sink.flush()
            while (wait_s := due_s - pace.clock()) > _WORTH_SLEEPING_S and not stop():
                pace.sleep(min(wait_s, _NAP_S))
            if stop():
                break
            event = act.event
            if pace.live:
                now = datetime.fromtimestamp(round(pace.clock(), 3), UTC)
                event = event.model_copy(update={"time": now})
            attempted = desk.attempt(event)
            if attempted is not None:
                sent = Act(attempted, act.incident)
                sink.write(event.agent_id, attempted.model_dump_json(exclude_none=True).encode())
                summary.add(sent)
                if truth is not None and act.incident is not None:
                    truth.write(event.agent_id, _truth(sent))
    except KeyboardInterrupt:
        summary.interrupted = True
    sink.flush()
    if truth is not None:
        truth.flush()
    summary.seconds = pace.clock() - began_s
    return summary


def _truth(act: Act) -> bytes:
    event = act.event
    line = {
        "event_id": event.event_id,
        "agent_id": event.agent_id,
        "incident": act.incident,
        "time": event.time.isoformat(),
        "status": event.status,
    }
    return json.dumps(line).encode()
