"""What stands between an agent and its tools: asks for a grant before each action."""

from collections.abc import Mapping, Set
from typing import Final, Protocol

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from baselines.event import ActionEvent
from monitor.ledger import grants
from monitor.store import Store, StoreError, schema
from monitor.store.engine import reason

_FIRST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 20.0


class Gateway(Protocol):
    """Answers whether an agent may act."""

    def allows(self, agent_id: str, scope: str, now_s: float) -> bool:
        """Whether the agent holds a valid grant of this scope at `now_s`."""
        ...


class OpenGateway:
    """Allows everything."""

    def allows(self, agent_id: str, scope: str, now_s: float) -> bool:
        """Yes."""
        del agent_id, scope, now_s
        return True


class RegistryGateway:
    """Asks the grants registry, each time anew: a revocation holds from the next action on."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def allows(self, agent_id: str, scope: str, now_s: float) -> bool:
        """Whether the registry holds a valid grant.

        Raises
        ------
        StoreError
            If the registry cannot be asked.
        """
        try:
            with self._store.read() as connection:
                return grants.allows(connection, agent_id, scope, now_s)
        except DBAPIError as error:
            raise StoreError(f"store {self._store.url}: {reason(error)}") from None

    def enrol(self, scopes: Mapping[str, Set[str]], now_s: float) -> int:
        """Give agents the standing grants that they never had; returns how many.

        One that was revoked stays revoked: starting a fleet is no way round a trip.
        """
        added = 0
        with self._store.ledger() as connection:
            for agent_id, wanted in scopes.items():
                of_agent = schema.grants.c.agent_id == agent_id
                held = set(connection.scalars(select(schema.grants.c.scope).where(of_agent)))
                for scope in sorted(wanted - held):
                    grants.add(
                        connection, agent_id=agent_id, scope=scope, reason="simulated fleet",
                        granted_by="simulate", now_s=now_s,
                    )  # fmt: skip
                    added += 1
        return added


class Desk:
    """Passes actions through a gateway and lets refused agents try again now and then.

    A refused agent waits before it asks for the same scope again, each time longer, as clients
    and hijacked agents do; what it would have done meanwhile does not happen.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._wait: dict[tuple[str, str], tuple[float, float]] = {}
        """By agent and scope: until when it waits, and how long it waits after that."""

    def attempt(self, event: ActionEvent) -> ActionEvent | None:
        """The event as it came out: as it was, denied, or None where the agent did not try."""
        scope, now_s = event.tool or event.action, event.time.timestamp()
        key = (event.agent_id, scope)
        until_s, wait_s = self._wait.get(key, (now_s, _FIRST_WAIT_S))
        if now_s < until_s:
            return None
        if self._gateway.allows(event.agent_id, scope, now_s):
            self._wait.pop(key, None)
            return event
        self._wait[key] = (now_s + wait_s, min(2 * wait_s, _LONGEST_WAIT_S))
        return event.model_copy(update={"status": "denied", "bytes_in": None, "records": None})
