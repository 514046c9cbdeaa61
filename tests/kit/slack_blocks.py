"""Slack's rules for blocks and modals, as far as these messages use them."""

import json
from typing import Any


def block_faults(blocks: list[dict[str, Any]]) -> list[str]:
    """What of a message's blocks breaks Slack's rules, as far as these blocks use them."""
    faults = [] if 1 <= len(blocks) <= 50 else [f"{len(blocks)} blocks, 1 to 50 are allowed"]
    if len(json.dumps(blocks, ensure_ascii=False)) > 13_000:
        faults.append("blocks too long")
    for number, block in enumerate(blocks):
        faults += [f"block {number}: {fault}" for fault in _faults(block)]
    return faults


def _faults(block: dict[str, Any]) -> list[str]:
    match block["type"]:
        case "header":
            return _text_faults(block["text"], ("plain_text",), 150)
        case "section":
            faults = []
            if "text" in block:
                faults += _text_faults(block["text"], ("plain_text", "mrkdwn"), 3000)
            if len(block.get("fields", [])) > 10:
                faults.append("more than 10 fields")
            for item in block.get("fields", []):
                faults += _text_faults(item, ("plain_text", "mrkdwn"), 2000)
            return faults
        case "context":
            faults = [] if 1 <= len(block["elements"]) <= 10 else ["1 to 10 elements"]
            for item in block["elements"]:
                faults += _text_faults(item, ("plain_text", "mrkdwn"), 3000)
            return faults
        case "rich_text":
            return [fault for element in block["elements"] for fault in _rich_faults(element)]
        case "actions":
            faults = [] if 1 <= len(block["elements"]) <= 25 else ["1 to 25 elements"]
            ids = [button["action_id"] for button in block["elements"]]
            faults += [] if len(set(ids)) == len(ids) else ["two elements of one action_id"]
            return faults + [f for button in block["elements"] for f in _button_faults(button)]
        case "input":
            return _text_faults(block["label"], ("plain_text",), 2000) + _input_faults(
                block["element"]
            )
        case kind:
            return [f"unknown type {kind}"]


def _text_faults(item: dict[str, Any], kinds: tuple[str, ...], limit: int) -> list[str]:
    faults = [] if item["type"] in kinds else [f"text of type {item['type']}"]
    if not 1 <= len(item["text"]) <= limit:
        faults.append(f"text of {len(item['text'])} characters, 1 to {limit} are allowed")
    return faults


def _rich_faults(element: dict[str, Any]) -> list[str]:
    if element["type"] not in ("rich_text_section", "rich_text_preformatted"):
        return [f"rich text element of type {element['type']}"]
    if not element["elements"]:
        return ["empty rich text element"]
    faults = []
    for item in element["elements"]:
        match item["type"]:
            case "user" | "usergroup" as kind:
                faults += [] if item[f"{kind}_id"] else ["nobody mentioned"]
            case _:
                faults += _text_faults(item, ("text",), 3000)
    return faults


def _button_faults(button: dict[str, Any]) -> list[str]:
    faults = _text_faults(button["text"], ("plain_text",), 75)
    faults += [] if len(button["value"]) <= 2000 else ["value too long"]
    faults += [] if len(button["action_id"]) <= 255 else ["action_id too long"]
    faults += [] if button.get("style") in (None, "primary", "danger") else ["unknown style"]
    if "confirm" in button:
        limits = {"title": 100, "text": 300, "confirm": 30, "deny": 30}
        for part, limit in limits.items():
            faults += _text_faults(button["confirm"][part], ("plain_text",), limit)
    return faults


def _input_faults(element: dict[str, Any]) -> list[str]:
    match element["type"]:
        case "plain_text_input":
            return [] if element.get("max_length", 3000) <= 3000 else ["max_length over 3000"]
        case "static_select":
            options = element["options"]
            faults = [] if 1 <= len(options) <= 100 else ["1 to 100 options"]
            for option in options:
                faults += _text_faults(option["text"], ("plain_text",), 75)
                faults += [] if 1 <= len(option["value"]) <= 150 else ["value of an option"]
            return faults
        case kind:
            return [f"unknown input {kind}"]


def view_faults(view: dict[str, Any]) -> list[str]:
    """What of a modal breaks Slack's rules."""
    faults = [] if view["type"] == "modal" else [f"view of type {view['type']}"]
    for part in ("title", "submit", "close"):
        faults += _text_faults(view[part], ("plain_text",), 24)
    if len(view.get("private_metadata", "")) > 3000:
        faults.append("private_metadata too long")
    return faults + block_faults(view["blocks"])
