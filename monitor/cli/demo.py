"""`tripswitch demo`: an incident from the first wrong action to silence, in about a minute."""

import shlex
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from monitor.cli.app import JsonOption, app, print_json
from monitor.demo.narrate import Narrator
from monitor.demo.play import VICTIM, play
from monitor.demo.stage import InterruptedDemoError, Stage
from monitor.demo.sum_up import document, sum_up
from monitor.errors import ExitCode


@app.command(epilog="Example: tripswitch demo --directory /tmp/look-around")
def demo(
    directory: Annotated[
        Path | None,
        typer.Option(help="Where to play, and what stays afterwards; by default a new one in "
                     "the system's temporary directory.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the simulated fleet.")] = 1,
    as_json: JsonOption = False,
) -> int:  # fmt: skip
    """Play an incident: a real daemon, a simulated fleet, a hijacked agent that is cut off.

    It needs neither Kafka nor Slack, reads no settings of yours and ends by itself. What it
    counts it reads from the ledger; it says nothing of how good detection is on real agents.
    """
    # A flag, for an exception out of nowhere is swallowed here and there; the daemon must be ended.
    interrupted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: interrupted.set())
    if directory is None:
        directory = Path(tempfile.mkdtemp(prefix="tripswitch-demo-"))
    narrator = Narrator(Console(file=sys.stderr if as_json else sys.stdout))
    stage = Stage(directory, interrupted)
    try:
        narrator.chapter("The daemon starts, with settings of its own")
        narrator.say(f"in {directory}; lines that begin with | are the daemon's")
        stage.start(narrator.daemon)
        outcome = play(stage, narrator, seed)
    except InterruptedDemoError as error:
        narrator.say(str(error))
        return ExitCode.FAILED
    finally:
        stage.stop()
    if as_json:
        print_json(document(outcome, stage.config))
    else:
        sum_up(outcome, narrator)
        _where_next(narrator, stage, outcome.alert.alert_id)
    return ExitCode.DONE


def _where_next(narrator: Narrator, stage: Stage, alert_id: str) -> None:
    by_module = Path(sys.argv[0]).name == "__main__.py"
    program = f"{sys.executable} -m monitor" if by_module else shlex.quote(sys.argv[0])
    config = shlex.quote(str(stage.config))
    narrator.chapter("Where to look next")
    for what in (
        f"explain {alert_id}",
        "alerts --all",
        "trips",
        f"grants --agent {VICTIM}",
        f'restore {VICTIM} --reason "the demo is over"',
        "audit verify",
    ):
        narrator.command(f"{program} {what} --config {config}")
    narrator.say(f"The settings, the events and the daemon's log stay in {stage.directory}")
