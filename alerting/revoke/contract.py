"""What every enforcement point must do, as tests that a plugin's author runs, too.

Subclass it in a test module under a name that begins with `Test`, and say how to reach the point
and how to see from the outside what it enforces:

    class TestMyGateway(EnforcementPointContract):
        def open_point(self):
            return MyGatewayPoint({"url": "http://127.0.0.1:8080"})

        def state_of(self, agent_id):
            return my_gateway.state_of(agent_id)    # "revoked", "active", or None if never told

Each test opens a point of its own; agents have a name that no other test uses. pytest collects
it; nothing here needs pytest.
"""

import contextlib
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from alerting.killswitch import Direction, Order
from alerting.ports import EnforcementPoint, RevokeError

HOSTILE: Final = (
    "../../admin",
    "..",
    "a/b?c=d&e=f#g",
    "--all",
    "-rf",
    "$(reboot)`reboot`; reboot",
    "'; DROP TABLE agents; --",
    '"}, "agent_id": "bystander", "x": {"',
    "line\r\nX-Injected: yes",
    "$agent_id ${reason} %s {0}",
    "\x1b[2J\u202eexe.txt\u200b",
    "naïve-агент-代理",
    " spaces ",
    "%2e%2e%2f",
    "x" * 1000,
)
"""Ids and reasons that try to be more than text."""


class EnforcementPointContract:
    """Base of the tests; `timeout_s` is what each order is given."""

    timeout_s: float = 5.0

    def open_point(self) -> EnforcementPoint:
        """A point that is ready, made anew for each test."""
        raise NotImplementedError

    def state_of(self, agent_id: str) -> str | None:
        """What whoever enforces it knows of an agent: `revoked`, `active`, or None."""
        raise NotImplementedError

    def test_it_is_ready(self) -> None:
        """`check` passes, and changes nothing."""
        with self._point() as point:
            point.check(self.timeout_s)

    def test_what_it_confirmed_is_enforced(self) -> None:
        """Once `revoke` or `restore` returns, it holds; a repeat changes nothing."""
        agent_id, bystander = _new_agent(), _new_agent()
        with self._point() as point:
            for _ in range(2):
                point.revoke(order("revoke", 1, agent_id), self.timeout_s)
                assert self.state_of(agent_id) == "revoked"
            for _ in range(2):
                point.restore(order("restore", 2, agent_id), self.timeout_s)
                assert self.state_of(agent_id) == "active"
        assert self.state_of(bystander) is None

    def test_it_can_be_asked_or_says_that_it_cannot(self) -> None:
        """`verify` is true of what is in force, false of what is not, or always None."""
        agent_id = _new_agent()
        revoke, restore = order("revoke", 1, agent_id), order("restore", 2, agent_id)
        with self._point() as point:
            point.revoke(revoke, self.timeout_s)
            said = point.verify(revoke, self.timeout_s)
            assert said in (True, None)
            point.restore(restore, self.timeout_s)
            assert point.verify(restore, self.timeout_s) is said
            not_in_force = None if said is None else False
            assert point.verify(revoke, self.timeout_s) is not_in_force

    def test_an_agent_that_was_never_revoked_can_be_restored(self) -> None:
        """The revocation may have been given up on by a person."""
        agent_id = _new_agent()
        with self._point() as point:
            point.restore(order("restore", 2, agent_id), self.timeout_s)
        assert self.state_of(agent_id) in ("active", None)

    def test_an_outdated_order_is_refused(self) -> None:
        """A revocation that comes after a later restore is not carried out."""
        agent_id = _new_agent()
        with self._point() as point:
            point.restore(order("restore", 2, agent_id), self.timeout_s)
            try:
                point.revoke(order("revoke", 1, agent_id), self.timeout_s)
            except RevokeError:
                assert self.state_of(agent_id) != "revoked"
            else:
                raise AssertionError("order 1 was confirmed after order 2")

    def test_hostile_text_is_text(self) -> None:
        """It is enforced for exactly that id, or refused by `RevokeError`; nobody else is hit."""
        bystander = _new_agent()
        with self._point() as point:
            for number, text in enumerate(HOSTILE, 1):
                agent_id = _new_agent()
                told = order("revoke", number, agent_id, reason=text)
                refused = self._refuses(point, told)
                assert self.state_of(agent_id) == (None if refused else "revoked"), text
                refused = self._refuses(point, order("revoke", number, text))
                assert self.state_of(text) == (None if refused else "revoked"), text
        assert self.state_of(bystander) is None
        assert self.state_of("bystander") is None

    def test_many_at_once(self) -> None:
        """Orders about different agents do not disturb each other."""
        agents = [_new_agent() for _ in range(8)]
        failures: list[BaseException] = []
        with self._point() as point:

            def revoke(agent_id: str) -> None:
                try:
                    point.revoke(order("revoke", 1, agent_id), self.timeout_s)
                except BaseException as error:
                    failures.append(error)

            threads = [threading.Thread(target=revoke, args=(agent,)) for agent in agents]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert not failures, failures
        assert [self.state_of(agent) for agent in agents] == ["revoked"] * len(agents)

    def test_it_can_be_closed_twice(self) -> None:
        """A stop that is interrupted begins again."""
        point = self.open_point()
        point.close()
        point.close()

    def _refuses(self, point: EnforcementPoint, told: Order) -> bool:
        try:
            point.revoke(told, self.timeout_s)
        except RevokeError:
            return True
        return False

    @contextlib.contextmanager
    def _point(self) -> Iterator[EnforcementPoint]:
        with contextlib.closing(self.open_point()) as point:
            yield point


def order(direction: Direction, order_seq: int, agent_id: str, reason: str = "why") -> Order:
    """An order as the kill lane gives it."""
    return Order(
        trip_id=uuid.uuid4().hex[:12],
        agent_id=agent_id,
        direction=direction,
        order_seq=order_seq,
        reason=reason,
        ordered_by="os:alice",
        ordered_at=datetime(2026, 2, 1, 3, 0, tzinfo=UTC),
    )


def _new_agent() -> str:
    return f"agent-{uuid.uuid4().hex[:8]}"
