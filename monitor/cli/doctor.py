"""`tripswitch doctor`: tries what the settings name, and says what to do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from alerting.render import clean
from monitor import config as settings
from monitor.checkup import Verdict
from monitor.cli.app import ConfigOption, JsonOption, app, print_json
from monitor.errors import ExitCode

_MARKS = {"ok": "ok     ", "warning": "WARNING", "failed": "FAILED "}


@app.command(epilog="Example: tripswitch doctor --sample --config tripswitch.toml")
def doctor(
    sample: Annotated[
        bool,
        typer.Option("--sample", help="Also read the last hundred messages, and judge their form."),
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Try Kafka, the store, Slack, each enforcement point and the clock; change and post nothing.

    Exit code 4: something failed. Each line that is not ok says what to do.
    """
    failed = False
    for verdict in _verdicts(settings.load(config), config, sample):
        failed = failed or verdict.state == "failed"
        if as_json:
            print_json(verdict._asdict())
            continue
        typer.echo(
            f"{_MARKS[verdict.state]}  {clean(verdict.about, 120)}: {clean(verdict.text, 600)}"
        )
        if verdict.advice:
            typer.echo(f"         -> {clean(verdict.advice, 600)}")
    return ExitCode.FAILED if failed else ExitCode.DONE


def _verdicts(chosen: settings.Config, path: Path | None, sample: bool) -> Iterator[Verdict]:
    # late: whoever asks for help need not wait
    from monitor.checkup import kafka, points, slack, store
    from monitor.checkup.sample import check_sample
    from monitor.checkup.verdict import ok

    yield ok("settings", str(path) if path else "the defaults, and the environment")
    if chosen.source.kind == "log":
        yield from store.check_log(chosen)
    if chosen.kafka.bootstrap_servers:
        yield from kafka.check_kafka(chosen)
    yield from store.check_store(chosen)
    yield from slack.check_slack(chosen)
    yield from points.check_points(chosen)
    if sample:
        yield from check_sample(chosen)
