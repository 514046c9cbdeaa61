"""What somebody asks for in Slack: read from what Slack sends, which may be anything."""

import hashlib
import html
import json
import shlex
from typing import Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from alerting.slack_buttons import Verb, read

ASK_REASON: Final = frozenset[Verb](("kill", "expected", "approve", "decline"))
"""What a modal is opened for first."""
COMMAND: Final = "/tripswitch"


class Ask(BaseModel):
    """One request, as it is kept until it is done.

    Attributes
    ----------
    about, id
        What it is about: an incident, an alert, an approval; or an agent, by its own id.
    team
        The workspace that the user belongs to.
    channel, ts
        Where the message is that it was asked at; `ts` is empty for a slash command.
    agent
        Which of an incident's agents, as `agent_key` of its id.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    verb: Verb
    about: Literal["incident", "alert", "approval", "agent"]
    id: str
    user: str
    team: str
    channel: str
    ts: str = ""
    reason: str = ""
    agent: str | None = None

    @property
    def actor(self) -> str:
        """Who it is in the audit's words."""
        return f"slack:{self.user}"


class Come(NamedTuple):
    """A request that came in, under an id that is the same however often it is sent."""

    request_id: str
    ask: Ask
    trigger_id: str


class Typed(NamedTuple):
    """A slash command."""

    user: str
    team: str
    channel: str
    channel_name: str
    trigger_id: str
    words: list[str]


def agent_key(agent_id: str) -> str:
    """What stands for an agent in a list to choose from: its id may be too long."""
    return hashlib.sha256(agent_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def pressed(payload: dict[str, Any]) -> Come | None:
    """The button of ours that was pressed; None if it is none."""
    try:
        action, container = payload["actions"][0], payload["container"]
        button = read(action["action_id"], action["value"])
        if button is None:
            return None
        ask = Ask(
            verb=button.verb,
            about=button.about,
            id=button.id,
            user=payload["user"]["id"],
            team=payload["user"].get("team_id") or "",
            channel=container["channel_id"],
            ts=container["message_ts"],
        )
        moment = (ask.user, ask.verb, ask.id, ask.channel, ask.ts, action["action_ts"])
        return Come(_digest("pressed", *moment), ask, str(payload.get("trigger_id")))
    except (LookupError, TypeError, AttributeError, ValidationError):
        return None


def submitted(payload: dict[str, Any]) -> Come | None:
    """The modal of ours that was filled in; None if it is none."""
    try:
        if payload["type"] != "view_submission":
            return None
        view = payload["view"]
        values = view["state"]["values"]
        chosen = values.get("agent", {}).get("agent", {}).get("selected_option") or {}
        asked = json.loads(view["private_metadata"])
        ask = Ask(
            verb=asked["verb"],
            about=asked["about"],
            id=asked["id"],
            channel=asked["channel"],
            ts=asked["ts"],
            user=payload["user"]["id"],
            team=payload["user"].get("team_id") or "",
            reason=(values["reason"]["reason"]["value"] or "").strip(),
            agent=chosen.get("value"),
        )
        return Come(_digest("submitted", ask.user, view["id"]), ask, "")
    except (LookupError, TypeError, AttributeError, ValueError):
        return None


def typed(payload: dict[str, Any]) -> Typed | None:
    """The slash command that was typed; None if it is none of ours."""
    if payload.get("command") != COMMAND:
        return None
    text = html.unescape(str(payload.get("text") or ""))
    try:
        words = shlex.split(text)
    except ValueError:  # a quote that does not end
        words = text.split()
    return Typed(
        user=str(payload.get("user_id")),
        team=str(payload.get("team_id") or ""),
        channel=str(payload.get("channel_id")),
        channel_name=str(payload.get("channel_name") or ""),
        trigger_id=str(payload.get("trigger_id")),
        words=words,
    )


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
