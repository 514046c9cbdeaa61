"""Privileges: the elevated grants that an agent holds, and how it usually gives them back.

An `ok` action of one of `REQUESTS` takes the scope that is its target (where it has none: its
tool); one of `RELEASES` with that scope gives it back. Asking again for what is held changes
nothing: the clock goes on.
"""

from dataclasses import dataclass
from math import inf
from typing import Any, Final

from baselines.event import ActionEvent

REQUESTS: Final = frozenset({"grant_request", "elevate", "assume_role"})
RELEASES: Final = frozenset({"grant_release", "grant_revoke", "revoke", "release", "drop_role"})
VERBS: Final = REQUESTS | RELEASES

MAX_HELD: Final = 64
MAX_SCOPE_CHARS: Final = 256
REMEMBERED: Final = 16
"""So many times for which grants were held say how long this agent usually holds one."""
PATIENCE: Final = 2.0
"""Twice as long as the longest of these is still usual."""


@dataclass(slots=True)
class Grant:
    """A scope that is held.

    Attributes
    ----------
    since_s
        When it was granted, in seconds since the epoch.
    overdue
        Whether it was alarmed on that it is not given back.
    expected
        Whether a person says that it may be held for as long as it will be.
    """

    since_s: float
    overdue: bool = False
    expected: bool = False


class Privileges:
    """Scopes held, how long such were held before, and how many at once.

    Attributes
    ----------
    held
        By scope, in order of granting.
    oldest_s
        When the oldest grant that was not alarmed on was granted; infinite if there is none.
    usual_s
        Longer than this no grant was held, twofold; 0 where none was given back yet.
    most
        The most scopes that were held at once and partly given back, or that were alarmed on.
    """

    __slots__ = ("_durations_s", "_late", "held", "most", "oldest_s", "usual_s")

    def __init__(self) -> None:
        self.held: dict[str, Grant] = {}
        self.oldest_s = inf
        self.usual_s = 0.0
        self.most = 0
        self._durations_s: list[float] = []
        self._late: list[float] = []

    def would_hold(self, event: ActionEvent) -> int:
        """How many scopes are held after this event, if it grants a new one; else 0."""
        if event.action not in REQUESTS or event.status != "ok" or scope_of(event) in self.held:
            return 0
        return len(self.held) + 1

    def overdue(self, time_s: float, give_back_after_s: float) -> list[tuple[str, Grant]]:
        """Grants held for longer than is usual, and than stated, that were not alarmed on yet."""
        patience_s = max(give_back_after_s, self.usual_s)
        return [
            (scope, grant)
            for scope, grant in self.held.items()
            if not grant.overdue and time_s - grant.since_s > patience_s
        ]

    def take(self, event: ActionEvent, promote_runs: int, promote_after_s: float) -> None:
        """Learn one event whose action is one of `VERBS`."""
        if event.status != "ok":
            return
        scope = scope_of(event)
        if event.action in REQUESTS:
            if scope not in self.held:
                if len(self.held) >= MAX_HELD:
                    del self.held[next(iter(self.held))]
                self.held[scope] = Grant(event.time_s)
                self._look_for_oldest()
        elif scope in self.held:
            # So many at once, some of them given back: that is what this agent does.
            self.most = max(self.most, len(self.held))
            grant = self.held.pop(scope)
            late = grant.overdue and not grant.expected
            self._learn(max(0.0, event.time_s - grant.since_s), late, event.time_s,
                        promote_runs, promote_after_s)  # fmt: skip
            self._look_for_oldest()

    def alarmed_overdue(self, scope: str) -> None:
        """Nobody needs to hear of this grant again."""
        if scope in self.held:
            self.held[scope].overdue = True
            self._look_for_oldest()

    def alarmed_many(self, scopes: int) -> None:
        """Nobody needs to hear of so many scopes again."""
        self.most = max(self.most, scopes)

    def adopt(self, scope: str, held_s: float) -> None:
        """A person says that a grant may be held for so long, and this one for longer."""
        self.alarmed_overdue(scope)
        if scope in self.held:
            self.held[scope].expected = True
        self._keep(held_s)

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same of it."""
        held = [[scope, g.since_s, g.overdue, g.expected] for scope, g in self.held.items()]
        return [held, self.most, self._durations_s, self._late]

    @classmethod
    def load(cls, data: list[Any]) -> "Privileges":
        """Undo `dump`."""
        privileges = cls()
        held, privileges.most, durations_s, late = data
        privileges.held = {scope: Grant(*grant) for scope, *grant in held}
        privileges._durations_s, privileges._late = list(durations_s), list(late)
        privileges.usual_s = PATIENCE * max(privileges._durations_s, default=0.0)
        privileges._look_for_oldest()
        return privileges

    def _learn(
        self, lasted_s: float, late: bool, time_s: float, promote_runs: int, promote_after_s: float
    ) -> None:
        """One more grant was given back; late ones become usual after several over some time."""
        if late:
            self._late.append(time_s)
            if len(self._late) < promote_runs or time_s - self._late[0] < promote_after_s:
                del self._late[1 : -max(1, promote_runs - 1)]
                return
            self._late.clear()
        self._keep(lasted_s)

    def _keep(self, lasted_s: float) -> None:
        self._durations_s = [*self._durations_s[1 - REMEMBERED :], lasted_s]
        self.usual_s = PATIENCE * max(self._durations_s)

    def _look_for_oldest(self) -> None:
        self.oldest_s = min((g.since_s for g in self.held.values() if not g.overdue), default=inf)


def scope_of(event: ActionEvent) -> str:
    """What is granted or given back: the target, else the tool; cut."""
    return (event.target or event.tool or "")[:MAX_SCOPE_CHARS]
