import re
import subprocess
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.message import MessageKind
from alerting.render import (
    clean,
    command,
    quote_agent,
    render,
    render_text,
)
from tests.kit.messages import ANY_TEXT, HOSTILE, UNSAFE, alert, anomaly, hostile_message, message


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_clean_leaves_nothing_that_a_terminal_obeys(text: str) -> None:
    shown = clean(text, 500)
    assert not UNSAFE.search(shown)
    assert shown.isprintable()
    assert len(shown) <= 500
    shown.encode()


@given(ANY_TEXT, st.integers(1, 60))
def test_clean_is_printable_and_within_its_limit(text: str, limit: int) -> None:
    shown = clean(text, limit)
    assert shown.isprintable()
    assert not UNSAFE.search(shown)
    assert len(shown) <= limit
    assert clean(shown, limit) == shown


@given(st.text(st.sampled_from("abc ÄÖ漢字-._/:@"), max_size=60))
def test_clean_leaves_plain_text_as_it_is(text: str) -> None:
    assert clean(text, 60) == text


def test_clean_shows_what_it_replaced() -> None:
    assert clean("a\x1b[2J\x9b\u202e\u200b\ud800\n") == r"a\x1b[2J\x9b\u202e\u200b\ud800\n"
    assert clean("blank\u3164letter") == r"blank\u3164letter"
    assert clean("a\u0301") == "a\u0301"
    assert clean("a" + "\u0301" * 9).count("\u0301") == 4


def test_clean_cuts_with_an_ellipsis_and_never_inside_an_escape() -> None:
    assert clean("abcdef", 4) == "abc…"
    assert clean("abc\x1bdef", 6) == "abc…"
    assert clean("abcdef", 6) == "abcdef"


def shell_reads(line: str) -> list[str]:
    """The words that bash makes of a command line."""
    run = subprocess.run(
        ["bash", "-c", f"tripswitch() {{ printf '%s\\0' \"$@\"; }}\n{line}"],
        capture_output=True,
        check=True,
    )
    return [part.decode() for part in run.stdout.split(b"\0")[:-1]]


@pytest.mark.parametrize(
    "agent_id",
    [
        text
        for text in HOSTILE
        if 0 < len(text) < 1024 and not re.search("[\x00\ud800-\udfff]", text)
    ]
    + ["payroll-7", "agent\u202e\x9b\n'9", "-x", "--all", "größe", "\x017"],
)
def test_the_command_carries_the_id_through_a_shell_and_nothing_else(agent_id: str) -> None:
    line = command("kill", agent_id, "alert 0a1b")
    assert line is not None
    assert line.isprintable()
    assert clean(line, len(line)) == line
    words = shell_reads(line)
    assert words[0] == "kill"
    assert sorted(words) == sorted(
        ["kill", agent_id, "--reason", "alert 0a1b"] + ["--"] * agent_id.startswith("-")
    )
    assert not agent_id.startswith("-") or words[-2:] == ["--", agent_id]


@settings(max_examples=30)
@given(st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=30))
def test_quoting_is_exact_for_any_id(agent_id: str) -> None:
    quoted = quote_agent(agent_id)
    assert quoted is not None
    assert quoted.isprintable()
    assert shell_reads(f"tripswitch {quoted}") == [agent_id]


@pytest.mark.parametrize("agent_id", ["", "a\x00b", "a\x1b\ud800", "x" * 5000])
def test_an_id_that_no_command_can_carry_is_not_cut_but_refused(agent_id: str) -> None:
    assert command("kill", agent_id, "r") is None
    parts = render(message(agent_id=agent_id))
    assert parts.order is not None
    assert "--json" in parts.order[1]


def test_the_lines_say_all_that_a_person_needs_at_night() -> None:
    told = message(details=(("mode", "observe"),))
    lines = render_text(told)
    assert lines[0] == "HIGH  alert opened: payroll-7 does what it never did"
    facts = dict(render(told).facts)
    assert [line.split(maxsplit=1)[0] for line in lines[1:-2]] == [f.split()[0] for f in facts]
    assert facts["why"] == "sent to bank.example, where it never sent anything"
    assert facts["observed"] == "1 new targets"
    assert facts["expected"] == "0.002 new targets, alarms above 0"
    assert facts["by chance"] == "about one in 2,500 runs"
    assert facts["agent"] == "payroll-7"
    assert facts["role"] == "payroll"
    assert facts["run"] == "run-1"
    assert facts["evidence"] == "agent-actions, partition 2, offset 991, event event-1"
    assert facts["anomalies"] == "3 (new_target, rate)"
    assert facts["mode"] == "observe"
    about = alert().alert_id
    assert lines[-1] == f"    tripswitch kill payroll-7 --reason 'alert {about}'"


def test_what_is_not_calibrated_says_so_and_a_declared_rule_names_no_chance() -> None:
    parts = render(message(alert=alert(anomaly(p_value=None), calibrated=False)))
    labels = [label for label, _ in parts.facts]
    assert "uncalibrated" in labels
    assert "by chance" not in labels
    assert "uncalibrated" not in [label for label, _ in render(message()).facts]


@pytest.mark.parametrize("kind", get_args(MessageKind))
def test_every_kind_has_words_and_the_order_that_makes_sense_then(kind: MessageKind) -> None:
    order = render(message(kind=kind, trip_id="T1")).order
    verb = order[1].split()[1] if order else None
    if kind in ("opened", "raised", "reminder", "reopened", "would_trip", "trip_held"):
        assert verb == "kill"
    elif kind in ("trip_ordered", "trip_contained", "trip_partial", "trip_silent"):
        assert verb == "restore"
    else:
        assert verb is None


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text_in_lines(text: str) -> None:
    told = hostile_message(text)
    for line in render_text(told):
        assert line.isprintable()
        assert not UNSAFE.search(line)
        assert len(line) < 3000


def test_numbers_read_well() -> None:
    worst = anomaly(observed=12345678.0, expected=0.123456, threshold=float("inf"))
    facts = dict(render(message(alert=alert(worst))).facts)
    assert facts["observed"] == "12,345,678 new targets"
    assert facts["expected"] == "0.1235 new targets, alarms above inf"


def test_an_alert_shows_its_history_in_one_line() -> None:
    worst = anomaly(history=(1.0, 2.0, 1.0, 1.0, 9.0))
    facts = dict(render(message(alert=alert(worst))).facts)
    assert facts["history"] == "▂▃▂▂█"
    assert "history" not in dict(render(message()).facts)
