"""The runbook: each command in it parses, and it explains each state, message and exit code."""

import re
import shlex
from pathlib import Path
from typing import Final, get_args

import pytest
import typer
from typer.exceptions import TyperException

from alerting.health_rules import RULES
from alerting.killswitch import AgentState, PointState
from alerting.message import MessageKind
from alerting.render import _WORDS
from monitor.cli.app import app, register
from monitor.errors import ExitCode
from monitor.ledger.approvals import State

RUNBOOK: Final = (Path(__file__).resolve().parents[3] / "deploy" / "RUNBOOK.md").read_text("utf-8")


def commands(text: str) -> list[str]:
    """The command lines of a text: in fences of `sh`, and in backticks where they are whole."""
    fences = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    lines = [line for line in fences.splitlines() if "tripswitch " in line]
    spans = re.findall(r"`(tripswitch [^`]+)`", text)
    return [*lines, *(span for span in spans if "…" not in span)]


def parse(line: str) -> None:
    """Parse a command line as `tripswitch` would, without carrying anything out."""
    words = shlex.split(line, comments=True)
    words = words[words.index("tripswitch") :]
    for end in ("|", ">", "&&", ";"):
        words = words[: words.index(end)] if end in words else words
    register([])
    command, context, name, rest = typer.main.get_command(app), None, words[0], words[1:]
    while True:
        context = command.make_context(name, list(rest), parent=context)
        resolve = getattr(command, "resolve_command", None)
        rest = [*getattr(context, "_protected_args", ()), *context.args]
        if resolve is None or not rest:
            return
        name, command, rest = resolve(context, rest)


@pytest.mark.parametrize("line", commands(RUNBOOK))
def test_a_command_of_the_runbook_parses(line: str) -> None:
    parse(line)


@pytest.mark.parametrize(
    "line",
    [
        "tripswitch slay payroll-7",
        "tripswitch kill payroll-7",
        "tripswitch kill payroll-7 --reason x --hard",
        "tripswitch trips give-up 4f0c2a9d11be --reason x",
    ],
)
def test_a_command_that_there_is_not_does_not_parse(line: str) -> None:
    with pytest.raises(TyperException):
        parse(line)


def test_the_commands_of_an_emergency_are_in_it() -> None:
    given = "\n".join(commands(RUNBOOK))
    for words in (
        "alerts", "explain", "kill payroll-7", "kill --role", "kill --all", "approve", "trips",
        "trips give-up", "restore", "config --points", "autotrip pause", "audit import",
        "audit verify", "audit verify --published", "audit export", "audit erase",
    ):  # fmt: skip
        assert f"tripswitch {words}" in given


def first_cells(title: str) -> list[str]:
    """What the first column of the table under a title explains."""
    section = re.split(r"^#+ ", RUNBOOK.split(f"### {title}\n")[1], flags=re.MULTILINE)[0]
    cells = re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)
    return [cell.strip("`") for cell in cells[1:]]


def test_each_exit_code_and_each_state_is_explained() -> None:
    assert first_cells("Exit codes") == [str(int(code)) for code in ExitCode]
    assert set(first_cells("An agent, and its trip")) == {str(state) for state in AgentState}
    assert set(first_cells("An enforcement point of a trip")) == {str(s) for s in PointState}
    assert set(first_cells("A question to a person")) == set(get_args(State))


def test_each_message_says_what_to_do_under_the_words_that_people_see() -> None:
    found = re.findall(r"^\| ([^|`]+) \| `(\w+)` \|", RUNBOOK, re.MULTILINE)
    assert {kind: words for words, kind in found} == {
        kind: _WORDS[kind] for kind in get_args(MessageKind)
    }


def test_each_condition_is_explained_with_its_severity() -> None:
    found = re.findall(r"^\| `(\w+)` \| (low|medium|high|critical) \|", RUNBOOK, re.MULTILINE)
    assert dict(found) == {kind: rule.severity.label for kind, rule in RULES.items()}
