"""The app's manifest has what the code calls, and no more."""

import re
from pathlib import Path

from monitor.checkup import slack as checkup
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
ASKED_FOR = set(re.findall(r"^      - (\S+)(?: .*)?$", MANIFEST, re.MULTILINE))
PRIVATE = {"groups:history"}
"""What `channels:history` is to a private channel."""


def test_each_scope_is_needed_and_each_needed_one_is_there() -> None:
    paths = [*(ROOT / "alerting").rglob("slack*.py"), *(ROOT / "monitor").glob("slack*.py")]
    called = {name for path in paths for name in CALLS.findall(path.read_text("utf-8"))}
    assert called == set(METHODS), "every method is known here, and each is called"
    needed = {SCOPES[method] for name in called if (method := METHODS[name])}
    assert ASKED_FOR - {"commands"} - PRIVATE == needed


def test_the_doctor_looks_for_what_the_manifest_asks_for() -> None:
    assert ASKED_FOR - PRIVATE == checkup.SCOPES


def test_the_command_buttons_and_socket_mode_are_on() -> None:
    assert f"command: {COMMAND}\n" in MANIFEST
    assert "interactivity:\n    is_enabled: true" in MANIFEST
    assert "socket_mode_enabled: true" in MANIFEST
    assert "should_escape: false" in MANIFEST
