"""Who acts and who orders while trips are measured."""

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, Final

from monitor.config import Config
from monitor.ledger import trips
from monitor.simulate.fleet import Fleet
from monitor.simulate.gateway import RegistryGateway
from monitor.simulate.incidents import KINDS
from monitor.simulate.sink import KafkaSink
from monitor.simulate.stream import Pace, send
from monitor.simulate.work import Act
from monitor.store import Store

_TURNS: Final = 500
"""After so many events it is asked whether it is enough."""


class Work:
    """The fleet at work, through the gateway that asks the registry, with incidents between."""

    def __init__(
        self, config: Config, store: Store, *, agents: int, rate: float, trips_per_s: float
    ) -> None:
        self._config = config
        self._rate = rate
        self._start_s = time.time()
        fleet = Fleet(1, agents, self._start_s)
        self._acts = _with_incidents(fleet, round(rate / trips_per_s))
        self._registry = RegistryGateway(store)
        self._registry.enrol(fleet.scopes(), self._start_s)

    def send(self, seconds: float, enough: Callable[[], bool] = lambda: False) -> dict[str, Any]:
        """Events at the rate, for so long or until it is enough, which is asked now and then.

        Another call goes on from there.
        """
        until_s = time.time() + seconds
        turns = itertools.count()
        with closing(KafkaSink(self._config.kafka, self._config.source.topic)) as sink:
            summary = send(
                self._acts, self._start_s, sink, _Open(self._registry),
                Pace(rate=self._rate, live=True),
                stop=lambda: time.time() > until_s or (next(turns) % _TURNS == 0 and enough()),
            )  # fmt: skip
        return {"events": summary.events, "sent_per_s": round(summary.events / summary.seconds)}


class Person(threading.Thread):
    """Orders a kill five times a second, from this process; the daemon drives the points.

    Attributes
    ----------
    ordered_in_s
        By trip: how long its order took to be durable.
    """

    def __init__(self, store: Store, points: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self.ordered_in_s: dict[str, float] = {}
        self._store = store
        self._points = points
        self._stopping = threading.Event()

    def run(self) -> None:
        for number in itertools.count():
            if self._stopping.wait(0.2):
                return
            began_s = time.time()
            with self._store.ledger() as ledger:
                ordered = trips.order_kill(
                    ledger, agent_id=f"agent-{number}", reason="bench", ordered_by="os:bench",
                    automatic=False, now_s=began_s, points=self._points, receivers=(),
                )  # fmt: skip
            self.ordered_in_s[ordered.trip_id] = time.time() - began_s

    def stop(self) -> None:
        """End it."""
        self._stopping.set()
        self.join()


class _Open:
    """The registry, but that anybody may log in: an incident begins so."""

    def __init__(self, registry: RegistryGateway) -> None:
        self._registry = registry

    def allows(self, agent_id: str, scope: str, now_s: float) -> bool:
        return scope == "login" or self._registry.allows(agent_id, scope, now_s)


def _with_incidents(fleet: Fleet, every: int) -> Iterator[Act]:
    """The fleet's work, and at each so many events another agent logs in from elsewhere."""
    victims = iter(fleet.roles)
    for number, act in enumerate(fleet.acts(), 1):
        yield act
        if number % every == 0 and (victim := next(victims, None)) is not None:
            script = KINDS["stolen_credential"].script(fleet._actor(victim, number), time.time())
            yield from (Act(event, "stolen_credential") for event in itertools.islice(script, 1))


def introduce(config: Config, profiles: int) -> None:
    """One event of each of so many agents, as fast as the broker takes them."""
    with closing(KafkaSink(config.kafka, config.source.topic)) as sink:
        for number in range(profiles):
            event = {
                "event_id": "e-1",
                "time": datetime.now(UTC).isoformat(),
                "agent_id": f"agent-{number}",
                "action": "tool_call",
                "tool": f"tool-{number % 7}",
                "target": f"ORDER-{number}",
                "trace_id": f"run-{number}",
                "role": f"role-{number % 5}",
            }
            sink.write(f"agent-{number}", json.dumps(event).encode())
