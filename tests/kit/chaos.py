"""Who orders trips and who drives enforcement points, to be killed at random moments."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy.exc import DBAPIError

from alerting.killswitch import BLOCKED, AgentState, PointState
from monitor import orders
from monitor.config import Config, load
from monitor.enforcement import enforcement_points, point_limits
from monitor.errors import NotFoundError, UsageError
from monitor.kill_lane import Driver, KillLane
from monitor.ledger import agents, trips
from monitor.service import process_name
from monitor.store import Store
from tests.kit.mortal import Begun

BY: Final = "os:chaos"
RECEIVERS: Final = ("terminal",)
PROBATION_S: Final = 0.5
_PAUSE_S: Final = 0.6
"""A clerk waits at most so long between two orders."""
_CARRIED_OUT: Final = 0.1
"""So many of the orders are carried out by whoever orders; the others are left to the lanes."""
_COMMAND_EVERY_S: Final = 8.0
_loaded: dict[Path, Config] = {}


@dataclass(frozen=True)
class World:
    """What every process needs to know.

    Parameters
    ----------
    environment
        Set in each process before it reads its settings.
    configs
        Settings by how the names of their agents begin; the first has every point.
    agents
        Who is cut off and given back.
    acks
        A file; each order that its process knows to be durable is a line of it.
    """

    environment: Mapping[str, str]
    configs: Mapping[str, Path]
    agents: tuple[str, ...]
    acks: Path

    def config(self, agent: str | None = None) -> Config:
        """The settings for orders about an agent; without one, those with every point."""
        path = self.config_file(agent or next(iter(self.configs)))
        if path not in _loaded:
            os.environ.update(self.environment)
            _loaded[path] = load(path)
        return _loaded[path]

    def config_file(self, agent: str) -> Path:
        """The file of these settings."""
        return self.configs[agent.split("-")[0]]

    def acked(self) -> list[dict[str, Any]]:
        """The orders that were acknowledged."""
        lines = self.acks.read_text().splitlines() if self.acks.exists() else []
        return [json.loads(line) for line in lines]

    def lane(self, seed: str, begun: Begun) -> None:
        """The part of the daemon that drives enforcement points, as a process of its own."""
        del seed
        config = self.config()
        store = Store.open(config.store)
        driver = Driver(
            store,
            enforcement_points(config),
            owner=process_name(),
            receivers=RECEIVERS,
            timeout_s=config.trip.point_timeout_s,
            limits=point_limits(config),
        )
        begun()
        KillLane(driver, store.url).run()

    def clerk(self, seed: str, begun: Begun) -> None:
        """A person who cuts agents off, gives them back, asks again and gives points up."""
        chance = random.Random(seed)
        store = Store.open(self.config().store)
        acks = os.open(self.acks, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        begun()
        while True:
            try:
                if (done := self._order(store, chance)) is not None:
                    line = json.dumps(done).encode() + b"\n"
                    os.write(acks, line)  # at once: whole or not at all
            except DBAPIError as error:
                print(f"clerk: refused: {error.orig}", file=sys.stderr)
            time.sleep(chance.uniform(0, _PAUSE_S))

    def _order(self, store: Store, chance: random.Random) -> dict[str, Any] | None:
        agent = chance.choice(self.agents)
        config = self.config(agent)
        with store.read() as ledger:
            state = agents.state_of(ledger, agent)
            found = trips.list_trips(ledger, agent, limit=1)
        tried = [p.point for trip in found for p in trip.points if p.state == PointState.FAILED]
        if tried and chance.random() < 0.4:
            return _give_up(store, found[0].trip_id, chance.choice(tried))
        if state in BLOCKED and chance.random() < (0.5 if state == AgentState.TRIPPING else 0.9):
            restored = orders.order_restore(
                config, store, agent=agent, reason="chaos", by=BY, probation_s=PROBATION_S
            )
            return _ack("restore", restored)
        trip = orders.order_kill(config, store, agent=agent, reason="chaos", by=BY)
        done = _ack("kill", trip)
        if chance.random() < _CARRIED_OUT:
            orders.carry_out_kill(config, store, trip, process_name())
        return done


def _give_up(store: Store, trip_id: str, point: str) -> dict[str, Any] | None:
    said: dict[str, Any] = {"reason": "chaos", "by": BY, "receivers": RECEIVERS}
    try:
        with store.ledger() as ledger:
            trip = trips.give_up(ledger, trip_id, point, **said, now_s=time.time())
    except (NotFoundError, UsageError):  # somebody was faster
        return None
    return {**_ack("give up", trip), "point": point}


def _ack(verb: str, trip: trips.Trip) -> dict[str, Any]:
    seq = max(point.order_seq for point in trip.points)
    named = {"agent": trip.agent_id, "trip": trip.trip_id, "new": trip.is_new}
    return {"verb": verb, "seq": seq, **named}


@dataclass
class Commands:
    """`tripswitch kill` and `restore`, now and then, half of them killed on their way.

    Attributes
    ----------
    ended
        Exit codes and answers of those that came to their end.
    """

    world: World
    chance: random.Random
    ended: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    _process: subprocess.Popen[str] | None = None
    _next_s: float = 0.0
    _dies_at_s: float = 0.0

    def look(self) -> None:
        """Begin one, end one, or keep what one said."""
        now_s = time.monotonic()
        if self._process is None:
            if now_s >= self._next_s:
                self._start(now_s)
        elif self._process.poll() is not None:
            said, _ = self._process.communicate()
            code = self._process.returncode
            self.ended += [(code, json.loads(line)) for line in said.splitlines()]
            self._process = None
        elif now_s >= self._dies_at_s:
            self.end()

    def _start(self, now_s: float) -> None:
        agent = self.chance.choice(self.world.agents)
        verb = self.chance.choice(("kill", "kill", "restore"))
        config = str(self.world.config_file(agent))
        arguments = [verb, agent, "--reason", "chaos", "--json", "--config", config]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "monitor", *arguments],
            env={**os.environ, **self.world.environment},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._next_s = now_s + _COMMAND_EVERY_S
        dies = self.chance.random() < 0.5
        self._dies_at_s = now_s + self.chance.uniform(0.5, 6) if dies else float("inf")

    def end(self) -> None:
        """Kill the one that runs."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
