"""The app's manifest has what the code calls, and no more."""

import re
from pathlib import Path

from monitor.slack_request import COMMAND
from tests.kit.slack_workspace import SCOPES

ROOT = Path(__file__).resolve().parents[3]
MANIFEST = (ROOT / "deploy" / "slack-manifest.yaml").read_text("utf-8")
CALLS = re.compile(r"\b(?:client|_client)\.((?:chat|conversations|views|usergroups|auth)_\w+)")
METHODS = {
    "chat_postMessage": "chat.postMessage",
    "chat_postEphemeral": "chat.postEphemeral",
    "chat_update": "chat.update",
    "conversations_history": "conversations.history",
    "conversations_replies": "conversations.replies",
    "usergroups_users_list": "usergroups.users.list",
    "views_open": None,
    "auth_test": None,
}
"""What the SDK's functions call; None: no scope is needed."""


def test_each_scope_is_needed_and_each_needed_one_is_there() -> None:
    paths = [*(ROOT / "alerting").rglob("slack*.py"), *(ROOT / "monitor").glob("slack*.py")]
    called = {name for path in paths for name in CALLS.findall(path.read_text("utf-8"))}
    assert called == set(METHODS), "every method is known here, and each is called"
    needed = {SCOPES[method] for name in called if (method := METHODS[name])}
    scopes = set(re.findall(r"^      - (\w+:?\w*) ", MANIFEST + " ", re.MULTILINE))
    scopes |= set(re.findall(r"^      - (\S+)$", MANIFEST, re.MULTILINE))
    private = {"groups:history"}  # what channels:history is to a private channel
    assert scopes - {"commands"} - private == needed


def test_the_command_buttons_and_socket_mode_are_on() -> None:
    assert f"command: {COMMAND}\n" in MANIFEST
    assert "interactivity:\n    is_enabled: true" in MANIFEST
    assert "socket_mode_enabled: true" in MANIFEST
    assert "should_escape: false" in MANIFEST
