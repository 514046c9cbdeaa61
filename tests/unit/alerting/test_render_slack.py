import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.render_slack import render_slack, slack_escape
from tests.kit.messages import ANY_TEXT, HOSTILE, UNSAFE, hostile_message
from tests.kit.slack_server import block_faults


def texts_of(element: Any) -> list[tuple[str, str]]:
    """Every text in the blocks with the type of the object that holds it."""
    if isinstance(element, list):
        return [found for item in element for found in texts_of(item)]
    if not isinstance(element, dict):
        return []
    own = [(element["type"], element["text"])] if isinstance(element.get("text"), str) else []
    return own + [found for value in element.values() for found in texts_of(value)]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text_in_blocks(text: str) -> None:
    check_slack(hostile_message(text), text)


@settings(deadline=None)
@given(ANY_TEXT, st.integers(1, 100))
def test_slack_limits_hold_for_any_text(text: str, times: int) -> None:
    check_slack(hostile_message(text * times), text * times)


def check_slack(told: Any, text: str) -> None:
    for brief in (False, True):
        said = render_slack(told, "0123456789abcdef", brief=brief)
        assert block_faults(said.blocks) == []
        json.dumps(said.blocks).encode()
        for kind, shown in texts_of(said.blocks):
            assert kind in ("text", "plain_text"), "nothing that Slack parses holds text"
            assert not UNSAFE.search(shown.replace("\n", ""))
            if kind == "plain_text":
                assert not text.strip() or shown.startswith(("HIGH: alert opened", "delivery 012"))
        assert not re.search(r"[@#*~`](?!\])|<|>|&(?!(amp|lt|gt);)", said.text)
        assert not re.search(r"(?<!\[)[.]\S|(?<=[^\s\[])://|<!", said.text)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("<!channel>", "&lt;!channel&gt;"),
        ("a & b", "a &amp; b"),
        ("&lt;!here&gt;", "&amp;lt;!here&amp;gt;"),
        ("@here", "[@]here"),
        ("pay@evil.example", "pay[@]evil[.]example"),
        ("https://evil.example.", "https[:]//evil[.]example."),
        ("mailto:a", "mailto[:]a"),
        (":tada:", "[:]tada:"),
        ("*b* ~s~ `c`", "∗b∗ ∼s∼ ˋcˋ"),
        ("_i_ a_b __x", "‗i‗ a_b ‗‗x"),
        ("payroll-7 plain", "payroll-7 plain"),
    ],
)
def test_slack_escape(text: str, escaped: str) -> None:
    assert slack_escape(text) == escaped
