r"""A message as Slack blocks, within Slack's limits and with nothing in it that Slack parses.

- Event text stands only in `rich_text` elements of type `text` (and, our own words, in
  `plain_text`): Slack does not parse these, so `*`, `<!channel>`, `:tada:` and links stay text.
- The notification text beside the blocks is the one place that Slack may parse; `slack_escape`
  disarms it, and it holds no more than the agent's id.
- The one mention is that of the owner whom the settings name.
"""

import re
from typing import Any, NamedTuple

from alerting.message import Message
from alerting.render import Rendered, clean, render
from alerting.slack_buttons import actions, plain


class SlackText(NamedTuple):
    """A message for chat.postMessage: Block Kit blocks and the text for notifications."""

    blocks: list[dict[str, Any]]
    text: str


def render_slack(
    message: Message, key: str, *, brief: bool = False, buttons: bool = False
) -> SlackText:
    """Say a message in Block Kit, within Slack's limits whatever the message holds.

    Event text appears only as rich-text `text` elements, which Slack shows as they are.

    Parameters
    ----------
    message
        What to tell.
    key
        The delivery's key; its start is shown so that people recognise a repeat.
    brief
        Leave the facts out: for a second try where Slack refused the whole message.
    buttons
        Offer what people can do about it.
    """
    parts = render(message)
    offered = actions(message) if buttons else None
    return SlackText(_blocks(parts, message, key, brief, offered), _notification(message, parts))


def render_reply(
    message: Message, key: str, *, brief: bool = False, buttons: bool = False
) -> SlackText:
    """Say what is new in an incident, below the message that tells all about it.

    An agent's alert that was opened in it is told whole, for the message above may show another's;
    a question is asked with the buttons to decide it.
    """
    one = message.kind == "opened"
    shown = {"incident": None, "owner": None, **({} if one else {"alert": None})}
    news = message.model_copy(update=shown)
    parts = render(news) if one else render(news)._replace(order=None)
    offered = actions(news) if buttons and not one else None
    return SlackText(_blocks(parts, message, key, brief, offered), _notification(news, parts))


def slack_escape(text: str) -> str:
    """Disarm a text for the places where Slack may parse mrkdwn.

    `&`, `<`, `>` are escaped as Slack asks, which ends mentions and links that are written out.
    Slack also links bare domains, addresses and emoji codes: these are defanged as security
    people are used to (`evil[.]com`, `[@]here`, `mailto[:]a`), in ASCII, so that no Unicode
    normalisation on the way brings them back. Marks of bold, italics, strike and code become
    lookalikes, because brackets would not stop them.
    """
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"[@#]|[.:](?=\S)", r"[\g<0>]", text)
    text = text.translate({ord("*"): "∗", ord("~"): "∼", ord("`"): "ˋ"})
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", "‗", text)  # inside a word it marks nothing


def _blocks(
    parts: Rendered,
    message: Message,
    key: str,
    brief: bool,
    offered: dict[str, Any] | None = None,
) -> list[dict[str, Any]]:
    headline = [_text(parts.headline, bold=True), *_mention(message.mention)]
    said: list[dict[str, Any]] = [_section(*headline)]
    if not brief:
        facts = [
            (_text(f"{label}: ", bold=True), _text(f"{value}\n"))
            for label, value in parts.facts
            if value != parts.headline
        ]
        said.append(_section(*(element for fact in facts for element in fact)))
    if parts.order is not None:
        label, line = parts.order
        said.append(_section(_text(f"{label}:", bold=True)))
        said.append({"type": "rich_text_preformatted", "elements": [_text(line)]})
    return [
        {"type": "header", "text": plain(f"{parts.severity}: {parts.words}")},
        *({"type": "rich_text", "elements": [element]} for element in said),
        *([offered] if offered else []),
        {"type": "context", "elements": [plain(f"delivery {clean(key, 12)}")]},
    ]


def _notification(message: Message, parts: Rendered) -> str:
    said = f"{parts.severity}: {parts.words}"
    incident = message.incident
    if incident is not None and incident.agent_count > 1:
        return f"{said}, {incident.agent_count:,} agents"
    agent = slack_escape(clean(message.agent_id, 100))
    return f"{said}, agent {agent}" if agent else said


def _mention(owner: str | None) -> list[dict[str, Any]]:
    """What makes Slack tell the owner, whose id is from the settings; nothing if it is no id."""
    if owner is None or not re.fullmatch(r"[SUW][A-Z0-9]{2,40}", owner):
        return []
    kind = "usergroup" if owner.startswith("S") else "user"
    return [_text(" "), {"type": kind, f"{kind}_id": owner}]


def _text(text: str, *, bold: bool = False) -> dict[str, Any]:
    return {"type": "text", "text": text, **({"style": {"bold": True}} if bold else {})}


def _section(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text_section", "elements": list(elements)}
