"""What a Slack workspace holds and answers, without any network: channel, messages, modals."""

import itertools
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

from tests.kit.slack_blocks import block_faults, view_faults

TOKEN: Final = "xoxb-2222-tests-only-SECRET"
APP_TOKEN: Final = "xapp-1-tests-only-SECRET"
CHANNEL: Final = "C0ALERTS"
TEAM: Final = "T0TESTS"
PAGE: Final = 100
"""Most messages that one page of a search has."""

SCOPES: Final = {
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "chat.postEphemeral": "chat:write",
    "conversations.history": "channels:history",
    "conversations.replies": "channels:history",
    "usergroups.users.list": "usergroups:read",
    "apps.connections.open": "connections:write",
}
"""What each method needs; those that are not here need none."""


@dataclass(frozen=True)
class Posted:
    """One request as it came in."""

    method: str
    payload: dict[str, Any]
    authorization: str
    at_s: float = field(default_factory=time.monotonic)

    @property
    def key(self) -> str:
        return str(self.payload["metadata"]["event_payload"]["key"])


class Workspace:
    """The channel with what was posted to it."""

    def __init__(self) -> None:
        self.messages: dict[str, dict[str, Any]] = {}
        """By `ts`, as they look now; replies have a `thread_ts`."""
        self.accepted: list[Posted] = []
        """What was posted, in order, as it came in."""
        self.views: list[dict[str, Any]] = []
        self.ephemeral: list[dict[str, Any]] = []
        self.names: dict[str, str] = {}
        """Channels' ids by the names under which they can be posted to as well."""
        self.groups: dict[str, list[str]] = {}
        """Members of user groups."""
        self.scopes = set(SCOPES.values())
        self.socket_url = ""
        self._clock = itertools.count(1)
        self._lock = threading.Lock()

    @property
    def roots(self) -> list[dict[str, Any]]:
        """The messages that stand in the channel itself."""
        return [one for one in self.messages.values() if "thread_ts" not in one]

    def replies(self, root: str) -> list[dict[str, Any]]:
        """What stands in a thread, without its root."""
        return [one for one in self.messages.values() if one.get("thread_ts") == root]

    def judge(self, posted: Posted, *, takes: bool) -> dict[str, Any]:
        """What Slack says to a request, and does if it `takes` it."""
        app = posted.method == "apps.connections.open"
        if posted.authorization != f"Bearer {APP_TOKEN if app else TOKEN}":
            return _no("invalid_auth")
        if SCOPES.get(posted.method, "") not in {"", *self.scopes}:
            return _no("missing_scope")
        answer = getattr(self, "_" + posted.method.replace(".", "_"), None)
        if answer is None:
            return _no("unknown_method")
        with self._lock:
            said: dict[str, Any] = answer(posted, takes)
        return said

    def _auth_test(self, _posted: Posted, _takes: bool) -> dict[str, Any]:
        return {"ok": True, "team": "tests", "team_id": TEAM, "user": "tripswitch"}

    def _apps_connections_open(self, _posted: Posted, _takes: bool) -> dict[str, Any]:
        return {"ok": True, "url": self.socket_url}

    def _chat_postMessage(self, posted: Posted, takes: bool) -> dict[str, Any]:  # noqa: N802 - Slack's
        payload = posted.payload
        if self.names.get(payload["channel"], payload["channel"]) != CHANNEL:
            return _no("channel_not_found")
        thread = payload.get("thread_ts")
        if thread is not None and thread not in self.messages:
            return _no("thread_not_found")
        if faults := block_faults(payload.get("blocks", [])):
            return {**_no("invalid_blocks"), "response_metadata": {"messages": faults}}
        ts = f"{time.time():.0f}.{next(self._clock):06d}"
        if takes:
            self.messages[ts] = {**payload, "ts": ts}
            self.accepted.append(posted)
        return {"ok": True, "channel": CHANNEL, "ts": ts}

    def _chat_update(self, posted: Posted, takes: bool) -> dict[str, Any]:
        payload = posted.payload
        if payload["channel"] != CHANNEL:
            return _no("channel_not_found")
        if payload["ts"] not in self.messages:
            return _no("message_not_found")
        if faults := block_faults(payload["blocks"]):
            return {**_no("invalid_blocks"), "response_metadata": {"messages": faults}}
        if takes:
            kept = self.messages[payload["ts"]]
            kept.update({name: payload[name] for name in ("blocks", "text")})
        return {"ok": True, "channel": CHANNEL, "ts": payload["ts"]}

    def _chat_postEphemeral(self, posted: Posted, takes: bool) -> dict[str, Any]:  # noqa: N802 - Slack's
        if takes:
            self.ephemeral.append(posted.payload)
        return {"ok": True, "message_ts": "1.0"}

    def _conversations_history(self, posted: Posted, _takes: bool) -> dict[str, Any]:
        return self._page(posted, self.roots[::-1])

    def _conversations_replies(self, posted: Posted, _takes: bool) -> dict[str, Any]:
        root = posted.payload["ts"]
        if root not in self.messages:
            return _no("thread_not_found")
        return self._page(posted, [self.messages[root], *self.replies(root)])

    def _page(self, posted: Posted, found: list[dict[str, Any]]) -> dict[str, Any]:
        asked = posted.payload
        if asked["channel"] != CHANNEL:
            return _no("channel_not_found")
        found = [one for one in found if float(one["ts"]) >= float(asked.get("oldest", 0))]
        start = int(asked.get("cursor") or 0)
        end = start + min(PAGE, int(asked["limit"]))
        shown = [
            {**one, "metadata": one.get("metadata") if _true(asked) else None}
            for one in found[start:end]
        ]
        cursor = str(end) if end < len(found) else ""
        metadata = {"next_cursor": cursor}
        return {"ok": True, "messages": shown, "response_metadata": metadata}

    def _views_open(self, posted: Posted, takes: bool) -> dict[str, Any]:
        view = posted.payload["view"]
        if faults := view_faults(view):
            return {**_no("invalid_arguments"), "response_metadata": {"messages": faults}}
        number = next(self._clock)
        opened = {**view, "id": f"V{number}", "hash": f"{number}.h", "state": {"values": {}}}
        if takes:
            self.views.append(opened)
        return {"ok": True, "view": opened}

    def _usergroups_users_list(self, posted: Posted, _takes: bool) -> dict[str, Any]:
        group = posted.payload["usergroup"]
        if group not in self.groups:
            return _no("no_such_subteam")
        return {"ok": True, "users": self.groups[group]}


def _no(code: str) -> dict[str, Any]:
    return {"ok": False, "error": code}


def _true(asked: dict[str, Any]) -> bool:
    return str(asked.get("include_all_metadata")).lower() in ("1", "true")
