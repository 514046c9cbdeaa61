"""Who may do what from Slack: users and user groups by id, as the settings list them."""

import threading
import time
from collections.abc import Sequence
from typing import Final

from alerting.notify.slack_web import SlackWeb
from alerting.ports import DeliveryError
from alerting.slack_buttons import Verb

KILLS: Final = frozenset[Verb](("kill", "approve", "decline"))
"""What only those may do who are listed."""
CACHED_S: Final = 60.0
"""How long it takes until somebody who left a user group may do nothing any more."""


class RefusedError(Exception):
    """Somebody may not do what they asked for; the text says why."""


class Access:
    """Decides by lists, and asks Slack for the members of user groups.

    Whatever cannot be found out is refused.

    Parameters
    ----------
    may_kill
        Who may cut agents off, approve and decline; empty: nobody.
    may_act
        Who else may do the rest; empty: everybody of this workspace.
    """

    def __init__(self, web: SlackWeb, may_kill: Sequence[str], may_act: Sequence[str]) -> None:
        self._web = web
        self._may_kill = may_kill
        self._may_act = may_act
        self._home = ""
        self._members: dict[str, tuple[float, frozenset[str]]] = {}
        self._lock = threading.Lock()

    def check(self, verb: Verb | None, user: str, team: str) -> None:
        """Let somebody do something.

        Parameters
        ----------
        verb
            What they ask for; None: only to look.
        user, team
            Who asks, and of which workspace: a channel can be shared with others.

        Raises
        ------
        RefusedError
            If they may not.
        """
        try:
            if verb not in KILLS and self._may_do_the_rest(user, team):
                return
            if self._is_among(user, self._may_kill):
                return
        except DeliveryError as error:
            raise RefusedError(f"who you are cannot be checked now: {error.reason}") from None
        if verb in KILLS:
            who = "you are not" if self._may_kill else "nobody is"
            raise RefusedError(f"not allowed: {who} listed in slack.may_kill")
        if self._may_act:
            raise RefusedError("not allowed: you are not listed in slack.may_act")
        raise RefusedError("not allowed: you belong to another workspace")

    def is_listed(self, user: str) -> bool:
        """Whether the settings name this user, by id; user groups are not looked into."""
        return user in self._may_kill or user in self._may_act

    def _may_do_the_rest(self, user: str, team: str) -> bool:
        if self._may_act:
            return self._is_among(user, self._may_act)
        return team == self._home_team()

    def _is_among(self, user: str, listed: Sequence[str]) -> bool:
        if user in listed:
            return True
        return any(user in self._group(one) for one in listed if one.startswith("S"))

    def _group(self, group: str) -> frozenset[str]:
        with self._lock:
            known_s, members = self._members.get(group, (-CACHED_S, frozenset[str]()))
            if time.monotonic() - known_s >= CACHED_S:
                answer = self._web.within(
                    lambda _: self._web.client.usergroups_users_list(usergroup=group)
                )
                members = frozenset(map(str, answer["users"]))
                self._members[group] = time.monotonic(), members
            return members

    def _home_team(self) -> str:
        if not self._home:
            answer = self._web.within(lambda _: self._web.client.auth_test())
            self._home = str(answer["team_id"])
        return self._home
