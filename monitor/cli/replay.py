"""`tripswitch replay`: what would have been raised over history."""

import base64
import json
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from detectors.finding import Anomaly
from monitor import config as settings
from monitor import policies
from monitor.cli.app import ConfigOption, JsonOption, app, print_json
from monitor.errors import TripswitchError
from monitor.replay import Replay, read_lines


@app.command(
    epilog="Example: tripswitch replay events.jsonl.gz --out anomalies.jsonl --partitions 4"
)
def replay(
    file: Annotated[Path, typer.Argument(help="Event log, one JSON object a line; .gz as it is.")],
    out: Annotated[
        Path | None, typer.Option(help="Write each anomaly as a line of JSON.", show_default=False)
    ] = None,
    partitions: Annotated[
        int, typer.Option(min=1, help="Spread agents over shards as Kafka's partitioner would.")
    ] = 1,
    rejected: Annotated[
        Path | None, typer.Option(help="Write what is no event, with why.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run detection over a log from empty profiles. No side effects: nothing stored or sent."""
    chosen = settings.load(config)
    started = time.perf_counter()
    with ExitStack() as stack:
        run = Replay(policies.detection(chosen), policies.response(chosen, (), ()), partitions)
        if out is not None:
            anomalies = _open(stack, out)
            run.on_anomaly = lambda anomaly: _write(anomalies, anomaly)
        if rejected is not None:
            refused = _open(stack, rejected)
            run.on_rejected = lambda line, raw, why: _write_rejected(refused, line, raw, why)
        progress = stack.enter_context(_progress())
        task = progress.add_task(file.name, total=file.stat().st_size if file.is_file() else None)
        lines = read_lines(file, lambda read: progress.update(task, completed=read))
        summary = run.run(lines, file.name)
    seconds = time.perf_counter() - started
    figures = asdict(summary) | {
        "seconds": round(seconds, 3),
        "events_per_second": round((summary.events + summary.rejected) / max(seconds, 1e-9)),
    }
    if as_json:
        print_json(figures)
        return
    for name, value in figures.items():
        typer.echo(f"{name.replace('_', ' '):>18}  {value:,}")


def _progress() -> Progress:
    """A bar on stderr, and only where that is a terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def _open(stack: ExitStack, path: Path) -> TextIO:
    try:
        return stack.enter_context(path.open("w", encoding="utf-8"))
    except OSError as error:
        raise TripswitchError(f"{path}: {error.strerror}") from None


def _write(file: TextIO, anomaly: Anomaly) -> None:
    file.write(anomaly.model_dump_json() + "\n")


def _write_rejected(file: TextIO, line: int, raw: bytes, why: str) -> None:
    try:
        body = {"raw": raw.decode()}
    except UnicodeDecodeError:
        body = {"raw_base64": base64.b64encode(raw).decode()}
    file.write(json.dumps({"line": line + 1, "reason": why, **body}) + "\n")
