"""`tripswitch replay`: what would have been raised over history, and by which of two settings."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
from monitor.cli.compare_view import view
from monitor.compare import Outcome, compared
from monitor.errors import TripswitchError, UsageError
from monitor.mapping import parser
from monitor.replay import Replay, read_lines
from monitor.scores import Scores


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
    scores: Annotated[
        Path | None,
        typer.Option(
            help="Write every judgement as a line of JSON: event, score, p-value.",
            show_default=False,
        ),
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="A.toml B.toml",
            help="What would each of two settings have raised and tripped? Takes no other file.",
            show_default=False,
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run detection over a log from empty profiles. No side effects: nothing stored or sent."""
    if compare is not None:
        if out or rejected or scores:
            raise UsageError("--compare writes no files: leave --out, --rejected and --scores out")
        _compare(file, compare, partitions, as_json)
        return
    chosen = settings.load(config)
    started = time.perf_counter()
    with ExitStack() as stack:
        run = Replay(policies.detection(chosen), policies.response(chosen, (), ()), partitions)
        run.parse = parser(chosen.source)
        anomalies = None if out is None else _open(stack, out)
        judged = None if scores is None else Scores(_open(stack, scores))
        if judged is not None:
            run.on_judged = judged.see
        run.on_anomaly = lambda anomaly: _write(anomalies, judged, anomaly)
        if rejected is not None:
            refused = _open(stack, rejected)
            run.on_rejected = lambda line, raw, why: _write_rejected(refused, line, raw, why)
        summary = run.run(stack.enter_context(_lines(file, file.name)), file.name)
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


def _compare(file: Path, configs: tuple[Path, Path], partitions: int, as_json: bool) -> None:
    """Read the log once for each setting; what a variable sets holds for both."""
    outcomes = []
    for path in configs:
        chosen = settings.load(path)
        policy, response = policies.detection(chosen), policies.response(chosen, (), ())
        with _lines(file, path.name) as lines:
            parse = parser(chosen.source)
            outcomes.append(Outcome.of(policy, response, partitions, lines, file.name, parse))
    a, b = outcomes
    document = compared(a, b, (str(configs[0]), str(configs[1])))
    if as_json:
        print_json(document)
    else:
        Console().print(view(document))


@contextmanager
def _lines(file: Path, task: str) -> Iterator[Iterator[bytes]]:
    """The lines of a log, with a bar on stderr where that is a terminal."""
    size = file.stat().st_size if file.is_file() else None
    with _progress() as progress:
        bar = progress.add_task(task, total=size)
        yield read_lines(file, lambda read: progress.update(bar, completed=read))


def _progress() -> Progress:
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
        raise TripswitchError(
            f"{path}: {error.strerror}; name a file that can be written"
        ) from None


def _write(file: TextIO | None, scores: Scores | None, anomaly: Anomaly) -> None:
    if file is not None:
        file.write(anomaly.model_dump_json() + "\n")
    if scores is not None:
        scores.miss(anomaly)


def _write_rejected(file: TextIO, line: int, raw: bytes, why: str) -> None:
    try:
        body = {"raw": raw.decode()}
    except UnicodeDecodeError:
        body = {"raw_base64": base64.b64encode(raw).decode()}
    file.write(json.dumps({"line": line + 1, "reason": why, **body}) + "\n")
