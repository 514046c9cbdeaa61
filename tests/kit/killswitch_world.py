"""Two agents, two enforcement points, and the wires between: what a machine of orders acts on."""

import itertools
from dataclasses import dataclass, field

from alerting.killswitch import AgentState, Direction
from monitor.ledger import agents, trips
from monitor.store import Store

AGENTS = ("a", "b")
POINTS = ("kafka", "webhook")
RECEIVERS = ("terminal",)
NOW = 1_700_000_000.0
LEASE_S = 10.0
PROBATION_S = 20.0

_example = itertools.count()


@dataclass
class Flight:
    """An order on the wire, and the process that sent it."""

    leased: trips.Leased
    sender_lives: bool = True
    reported: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.leased.order.agent_id, self.leased.point

    @property
    def ends_at(self) -> float:
        return 0.0 if self.reported else self.leased.until_s


@dataclass
class Door:
    """An enforcement point: keeps to the highest order that it has seen of each agent."""

    told: dict[str, tuple[int, Direction]] = field(default_factory=dict)

    def take(self, leased: trips.Leased) -> None:
        order = leased.order
        seen, _ = self.told.get(order.agent_id, (0, None))
        if order.order_seq >= seen:
            self.told[order.agent_id] = (order.order_seq, order.direction)


class World:
    """What there is, and what was ordered, apart from what the ledger says."""

    store: Store

    def __init__(self) -> None:
        super().__init__()
        self.now_s = NOW
        self.prefix = f"{next(_example)}/"
        self.flights: list[Flight] = []
        self.doors = {point: Door() for point in POINTS}
        self.blocked = dict.fromkeys(AGENTS, False)
        """By the orders of persons and rules alone."""
        self.state = dict.fromkeys(AGENTS, AgentState.ACTIVE)
        self.order_seq = dict.fromkeys(AGENTS, 0)
        self.given_up: set[tuple[str, str]] = set()
        self.offset = 0

    def _restore(self, agent: str, by: str) -> None:
        with self.store.ledger() as ledger:
            trips.order_restore(
                ledger,
                agent_id=self.prefix + agent,
                reason="false alarm",
                ordered_by=by,
                now_s=self.now_s,
                probation_s=PROBATION_S,
                receivers=RECEIVERS,
            )

    def _settle(self, flight: Flight, error: str | None) -> None:
        flight.reported = True
        with self.store.ledger() as ledger:
            trips.settle_point(
                ledger, flight.leased, error=error, receivers=RECEIVERS, now_s=self.now_s
            )

    def _watched(self, trip: trips.Trip, effective: int, refused: int) -> None:
        """The stream shows one record more."""
        self.offset += 1
        with self.store.ledger() as ledger:
            trips.record_watch(
                ledger,
                trip.trip_id,
                effective=[self.now_s] * effective,
                refused=refused,
                watched_to=self.offset,
                receivers=RECEIVERS,
                now_s=self.now_s,
            )

    def _flight(self, number: int) -> Flight:
        return self.flights[number % len(self.flights)]

    def _trip(self, agent: str) -> trips.Trip | None:
        """The trip that the agent's state is about."""
        with self.store.read() as ledger:
            found = trips.list_trips(ledger, self.prefix + agent, limit=100)
        return next((trip for trip in found if trip.state is not None), None)

    def _standing(self, agent: str) -> agents.Standing:
        agent_id = self.prefix + agent
        with self.store.read() as ledger:
            return agents.standings(ledger, [agent_id])[agent_id]
