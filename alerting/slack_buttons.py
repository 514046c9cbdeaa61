"""The buttons under a message in Slack, and what each of them is about."""

import re
from typing import Any, Final, Literal, NamedTuple, get_args

from alerting.alert import OPEN_STATES
from alerting.message import Message

Verb = Literal["acknowledge", "expected", "mute", "kill", "approve", "decline"]
About = Literal["incident", "alert", "approval"]

BLOCK: Final = "tripswitch"
"""Id of the block that holds the buttons, by which it is found again to be taken off."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Pressed(NamedTuple):
    """A button, and what it was under."""

    verb: Verb
    about: About
    id: str


def actions(message: Message) -> dict[str, Any] | None:
    """The block of buttons for what people can do about a message; None if that is nothing."""
    buttons: list[dict[str, Any]] = []
    if message.kind == "trip_asked" and _usable(message.approval_id):
        buttons += _for_approval(f"approval:{message.approval_id}")
    told = message.incident or (message.alert if not buttons else None)
    if told is not None and told.state in OPEN_STATES:
        about = f"incident:{told.incident_id}" if message.incident else f"alert:{told.alert_id}"
        if _usable(about.partition(":")[2]):
            buttons += _for_incident(about, acknowledge=told.state == "open")
    return {"type": "actions", "block_id": BLOCK, "elements": buttons} if buttons else None


def read(action_id: object, value: object) -> Pressed | None:
    """What a button says that was pressed; None if it is none of ours."""
    verb = str(action_id).removeprefix("tripswitch_")
    about, _, subject = str(value).partition(":")
    if verb not in get_args(Verb) or about not in get_args(About) or not _usable(subject):
        return None
    return Pressed(verb, about, subject)  # type: ignore[arg-type]  # both are among the literals


def plain(text: str) -> dict[str, Any]:
    """A text that Slack shows as it is, for headers, buttons and dialogs."""
    return {"type": "plain_text", "text": text, "emoji": False}


def _for_incident(about: str, *, acknowledge: bool) -> list[dict[str, Any]]:
    first = [_button("acknowledge", "Acknowledge", about, "primary")] if acknowledge else []
    return [
        *first,
        _button("expected", "Expected …", about),
        _button("mute", "Mute 1 h", about),
        _button(
            "kill",
            "Kill …",
            about,
            "danger",
            ("Cut off?", "Its grants are revoked everywhere. You are asked for the reason next."),
        ),
    ]


def _for_approval(about: str) -> list[dict[str, Any]]:
    asked = ("Approve?", "What was asked for is done at once. You are asked for the reason next.")
    return [
        _button("approve", "Approve …", about, "danger", asked),
        _button("decline", "Decline …", about),
    ]


def _button(
    verb: Verb,
    label: str,
    about: str,
    style: Literal["primary", "danger"] | None = None,
    confirm: tuple[str, str] | None = None,
) -> dict[str, Any]:
    button: dict[str, Any] = {
        "type": "button",
        "action_id": f"tripswitch_{verb}",
        "text": plain(label),
        "value": about,
    }
    if style is not None:
        button["style"] = style
    if confirm is not None:
        title, text = confirm
        button["confirm"] = {
            "title": plain(title),
            "text": plain(text),
            "confirm": plain("Go on"),
            "deny": plain("Cancel"),
            "style": "danger",
        }
    return button


def _usable(subject: str | None) -> bool:
    """Whether it is an id that we made, and not text of anybody else's."""
    return subject is not None and _ID.fullmatch(subject) is not None
