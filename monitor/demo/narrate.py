"""Tells what happens, in colour on a terminal and in plain lines without one."""

import time
from collections.abc import Mapping
from typing import Final

from rich.console import Console
from rich.text import Text

_STATUS_STYLES: Final = {"ok": "dim", "error": "yellow", "denied": "bold green"}


class Narrator:
    """Speaks for the demo, for the agents and for the daemon, each in its own column.

    Parameters
    ----------
    console
        Where to; one that is no terminal gets no escapes.

    Attributes
    ----------
    brief
        Of what the daemon says, tell the headlines alone.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self.brief = False

    def chapter(self, title: str) -> None:
        """Begin a new part."""
        self._console.print()
        self._line("", f"== {title}", "bold cyan")

    def say(self, text: str, style: str = "") -> None:
        """One line of explanation."""
        self._line("   ", text, style)

    def command(self, text: str) -> None:
        """A command to type, alone on its line so that it can be copied."""
        self._line("     ", text, "bold")

    def figure(self, name: str, value: str) -> None:
        """One line of the summary."""
        self._line("   ", f"{name:<34}  {value}", "")

    def agent(self, event: Mapping[str, object]) -> None:
        """What an agent did, from the event that it left."""
        status = str(event["status"])
        what = str(event.get("tool") or event["action"])
        target = f" -> {event['target']}" if "target" in event else ""
        clock = time.strftime("%H:%M:%S")
        line = f"{clock}  {event['agent_id']:<12} {what}{target}"
        self._line("   ", f"{line:<76} {status}", _STATUS_STYLES.get(status, ""))

    def daemon(self, line: str) -> None:
        """A line that the daemon printed; it indents what is no headline."""
        is_headline = line[:1].strip() != ""
        if is_headline or not self.brief:
            style = "yellow" if self.brief else "bold red" if is_headline else "red"
            self._line(" | ", line, style)

    def _line(self, margin: str, text: str, style: str) -> None:
        # `Text` and not markup: nothing in a line is ever read as an instruction.
        self._console.print(Text(margin + text, style=style), soft_wrap=True, highlight=False)
