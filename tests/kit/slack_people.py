"""What people do in Slack, told to an app over Socket Mode: a real WebSocket, with its faults."""

import contextlib
import itertools
import json
import threading
import time
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests.kit.slack_workspace import CHANNEL, TEAM, Workspace
from tests.kit.waiting import WAIT_S


class People:
    """The server's side of Socket Mode; `url` is where `apps.connections.open` leads."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._connections: list[ServerConnection] = []
        self._changed = threading.Condition()
        self._numbers = itertools.count(1)
        self.answers: dict[str, list[dict[str, Any]]] = {}
        """By envelope: each acknowledgement's payload."""
        self.connected = 0
        """How many connections there were."""
        self._server = serve(self._handle, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/link/?ticket=1"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._end_all()
        self._server.shutdown()
        self._thread.join()

    def press(
        self, verb: str, user: str, *, ts: str | None = None, team: str = TEAM, click: str = ""
    ) -> str:
        """Press a button of a message, by default of the last one in the channel that has it."""
        message = self._workspace.messages[ts] if ts else self._with_button(verb)
        button = next(b for b in buttons(message) if b["action_id"] == f"tripswitch_{verb}")
        number = click or str(next(self._numbers))
        return self.push(
            "interactive",
            {
                "type": "block_actions",
                "user": {"id": user, "team_id": team},
                "team": {"id": TEAM},
                "channel": {"id": CHANNEL},
                "trigger_id": f"trigger.{number}",
                "container": {
                    "type": "message",
                    "channel_id": CHANNEL,
                    "message_ts": message["ts"],
                },
                "message": message,
                "actions": [{**button, "action_ts": f"1700000000.{number}"}],
            },
        )

    def submit(self, view: dict[str, Any], user: str, reason: str, **chosen: str) -> str:
        """Fill in a modal, and send it."""
        values: dict[str, Any] = {"reason": {"reason": {"value": reason}}}
        for block, value in chosen.items():
            values[block] = {block: {"selected_option": {"value": value}}}
        return self.push(
            "interactive",
            {
                "type": "view_submission",
                "user": {"id": user, "team_id": TEAM},
                "team": {"id": TEAM},
                "trigger_id": f"trigger.{next(self._numbers)}",
                "view": {**view, "state": {"values": values}},
            },
        )

    def command(self, text: str, user: str, channel: str = CHANNEL) -> str:
        """Type the slash command."""
        return self.push(
            "slash_commands",
            {
                "command": "/tripswitch",
                "text": text,
                "user_id": user,
                "team_id": TEAM,
                "channel_id": channel,
                "trigger_id": f"trigger.{next(self._numbers)}",
            },
        )

    def push(self, kind: str, payload: dict[str, Any], envelope_id: str | None = None) -> str:
        """Send an envelope to the app, over its newest connection."""
        envelope_id = envelope_id or f"envelope-{next(self._numbers)}"
        envelope = {
            "type": kind,
            "envelope_id": envelope_id,
            "payload": payload,
            "accepts_response_payload": kind != "events_api",
        }
        self._newest().send(json.dumps(envelope))
        return envelope_id

    def again(self, envelope_id: str, kind: str, payload: dict[str, Any]) -> None:
        """Send an envelope a second time, as Slack does when it saw no acknowledgement."""
        self.push(kind, payload, envelope_id)

    def wait_for(self, envelope_id: str, times: int = 1) -> dict[str, Any]:
        """The payload with which an envelope was acknowledged."""
        with self._changed:
            got = self._changed.wait_for(
                lambda: len(self.answers.get(envelope_id, [])) >= times, WAIT_S
            )
        assert got, f"{envelope_id} was not acknowledged"
        return self.answers[envelope_id][-1]

    def ask_to_reconnect(self) -> None:
        """Tell the app that its connection is about to end, and end it."""
        connection = self._newest()
        connection.send(json.dumps({"type": "disconnect", "reason": "refresh_requested"}))

    def cut(self) -> None:
        """End every connection, without a word; the app may know of one before we do."""
        self._newest()
        self._end_all()

    def _end_all(self) -> None:
        with self._changed:
            connections, self._connections = self._connections, []
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.socket.close()

    def _newest(self) -> ServerConnection:
        with self._changed:
            assert self._changed.wait_for(lambda: self._connections, WAIT_S), "nobody connected"
            return self._connections[-1]

    def _with_button(self, verb: str) -> dict[str, Any]:
        deadline = time.monotonic() + WAIT_S  # a person waits for it to appear
        while True:
            with_it = [
                message
                for message in self._workspace.roots
                if f"tripswitch_{verb}" in [b["action_id"] for b in buttons(message)]
            ]
            if with_it or time.monotonic() > deadline:
                break
            time.sleep(0.02)
        assert with_it, f"no message has a button {verb}"
        return with_it[-1]

    def _handle(self, connection: ServerConnection) -> None:
        connection.send(json.dumps({"type": "hello", "num_connections": 1}))
        with self._changed:
            self.connected += 1
            self._connections.append(connection)
            self._changed.notify_all()
        with contextlib.suppress(ConnectionClosed, OSError):
            for raw in connection:
                answer = json.loads(raw)
                with self._changed:
                    self.answers.setdefault(answer["envelope_id"], []).append(
                        answer.get("payload") or {}
                    )
                    self._changed.notify_all()
        with self._changed:
            if connection in self._connections:
                self._connections.remove(connection)


def buttons(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The buttons of a message."""
    return [
        element
        for block in message["blocks"]
        if block["type"] == "actions"
        for element in block["elements"]
    ]
