r"""A message as Slack blocks, within Slack's limits and with nothing in it that Slack parses.

- Event text stands only in `rich_text` elements of type `text` (and, our own words, in
  `plain_text`): Slack does not parse these, so `*`, `<!channel>`, `:tada:` and links stay text.
- The notification text beside the blocks is the one place that Slack may parse; `slack_escape`
  disarms it, and it holds no more than the agent's id.
"""

import re
from typing import Any, NamedTuple

from alerting.message import Message
from alerting.render import clean, render


class SlackText(NamedTuple):
    """A message for chat.postMessage: Block Kit blocks and the text for notifications."""

    blocks: list[dict[str, Any]]
    text: str


def render_slack(message: Message, key: str, *, brief: bool = False) -> SlackText:
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
    """
    parts = render(message)
    said: list[dict[str, Any]] = [_section(_text(parts.headline, bold=True))]
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
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(f"{parts.severity}: {parts.words}")},
        *({"type": "rich_text", "elements": [element]} for element in said),
        {"type": "context", "elements": [_plain(f"delivery {clean(key, 12)}")]},
    ]
    agent = slack_escape(clean(message.agent_id, 100))
    return SlackText(blocks, f"{parts.severity}: {parts.words}, agent {agent}")


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


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _text(text: str, *, bold: bool = False) -> dict[str, Any]:
    return {"type": "text", "text": text, **({"style": {"bold": True}} if bold else {})}


def _section(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text_section", "elements": list(elements)}
