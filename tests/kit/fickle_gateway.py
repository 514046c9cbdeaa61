"""A gateway that fails at random, knows which order came last, and keeps what took effect."""

import json
import random
import threading
from collections.abc import Collection
from typing import Final
from urllib.parse import unquote

from tests.kit.gateway_server import Answer, Asked, GatewayServer

_REFUSED: Final = Answer(status=500)
_FATES: Final = (
    (62, Answer()),
    (8, _REFUSED),
    (3, Answer(status=503, headers={"Retry-After": "1"})),
    (8, Answer(drop=True)),
    (8, Answer(forget=True)),
    (2, Answer(late_s=0.2)),
    (5, Answer(late_s=1.4)),  # longer than the limit of an attempt
    (4, Answer(times=2)),
)


class FickleGateway(GatewayServer):
    """Fails until it is calm; for the agents named as broken it never does anything.

    Attributes
    ----------
    obeyed
        By agent: the orders that it took, by number, and the state that each asked for.
    changes
        By agent: the orders that changed something, in turn.
    """

    def __init__(self, seed: str, broken: Collection[str]) -> None:
        self.obeyed: dict[str, dict[int, set[str]]] = {}
        self.changes: dict[str, list[int]] = {}
        self.calm = False
        self._broken = broken
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        super().__init__()

    def answer_to(self, asked: Asked) -> Answer:
        with self._lock:
            if _agent(asked) in self._broken:
                return _REFUSED
            if self.calm:
                return Answer()
            (fate,) = self._chance.choices(
                [answer for _, answer in _FATES], [weight for weight, _ in _FATES]
            )
            return fate

    def obey(self, asked: Asked) -> tuple[int, bytes]:
        if asked.method == "GET":
            return super().obey(asked)
        order, agent = json.loads(asked.body), _agent(asked)
        assert agent == order["agent_id"]
        seq, state = order["order_seq"], order["state"]
        with self._lock:
            taken = self.obeyed.setdefault(agent, {})
            if seq < max(taken, default=0):
                return 409, b'{"error": "outdated"}'
            taken.setdefault(seq, set()).add(state)
            if self.states.get(agent, "active") != state:
                self.states[agent] = state
                self.changes.setdefault(agent, []).append(seq)
        return 200, b"{}"


def _agent(asked: Asked) -> str:
    return unquote(asked.target.split("/")[2])
