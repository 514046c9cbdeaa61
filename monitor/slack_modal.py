"""The modals in which Slack asks for a reason. Pure."""

import json
from collections.abc import Sequence
from typing import Any, Final

from alerting.render import clean
from alerting.slack_buttons import Verb, plain
from monitor.slack_request import Ask, agent_key

MAX_REASON_CHARS: Final = 1000
MAX_OPTIONS: Final = 100

_WORDS: Final[dict[Verb, tuple[str, str, str]]] = {
    "kill": ("Cut an agent off", "Kill", "Its grants are revoked at every enforcement point."),
    "expected": ("As it should be", "Expected", "It is learned, so that it will not alarm again."),
    "approve": ("Approve", "Approve", "What was asked for is done at once."),
    "decline": ("Decline", "Decline", "Nothing is done."),
}


def modal(ask: Ask, what: str, agents: Sequence[str] = (), reason: str = "") -> dict[str, Any]:
    """Ask for a reason, and which agent is meant where there are several.

    Parameters
    ----------
    ask
        What is asked for.
    what
        What it is about, for people; hostile text.
    agents
        To choose from, by id.
    reason
        To begin with.
    """
    title, submit, told = _WORDS[ask.verb]
    asked = ask.model_dump(include={"verb", "about", "id", "channel", "ts"})
    choice = [_choice(agents[:MAX_OPTIONS])] if len(agents) > 1 else []
    return {
        "type": "modal",
        "callback_id": "tripswitch",
        "title": plain(title),
        "submit": plain(submit),
        "close": plain("Cancel"),
        "private_metadata": json.dumps(asked, ensure_ascii=False),
        "blocks": [text_block(clean(what)), text_block(told), *choice, _reason(reason)],
    }


def text_block(text: str) -> dict[str, Any]:
    """A block of text that Slack shows as it is."""
    element = {"type": "text", "text": text or "–"}
    section = {"type": "rich_text_section", "elements": [element]}
    return {"type": "rich_text", "elements": [section]}


def _choice(agents: Sequence[str]) -> dict[str, Any]:
    options = [{"text": plain(clean(one, 75) or "–"), "value": agent_key(one)} for one in agents]
    element = {"type": "static_select", "action_id": "agent", "options": options}
    return {"type": "input", "block_id": "agent", "label": plain("Agent"), "element": element}


def _reason(reason: str) -> dict[str, Any]:
    element: dict[str, Any] = {
        "type": "plain_text_input",
        "action_id": "reason",
        "multiline": True,
        "max_length": MAX_REASON_CHARS,
    }
    if reason:
        element["initial_value"] = reason[:MAX_REASON_CHARS]
    return {
        "type": "input",
        "block_id": "reason",
        "label": plain("Reason, for the audit"),
        "element": element,
    }
