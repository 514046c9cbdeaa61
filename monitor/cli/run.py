"""`tripswitch run`: the daemon."""

import logging
import shlex
import signal
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from monitor import config as settings
from monitor import log
from monitor.cli.app import ConfigOption, app, print_json
from monitor.config import Config
from monitor.last_call import LastCall
from monitor.serve_child import ServeChild, command
from monitor.service import Service, build
from monitor.store import Store, inventory


@app.command(epilog="Example: TRIPSWITCH_KAFKA__BOOTSTRAP_SERVERS=broker:9092 tripswitch run")
def run(
    config: ConfigOption = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log more.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object with counts at the end.")
    ] = False,
) -> None:
    """Watch the stream until stopped: learn, alert, cut off.

    SIGTERM or Ctrl-C saves and ends, within 10 seconds.
    SIGHUP reads the settings again; bad ones change nothing.
    """
    log.set_up(verbose=verbose)
    if not sys.stderr.isatty():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    last = LastCall()

    def leave(_number: int, _frame: FrameType | None) -> None:
        """Stop before anything was begun."""
        last.call()
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, leave)  # also as process 1 of a container, which has no default
    chosen = settings.load(config)
    log.set_up(verbose=verbose, as_json=chosen.log.format == "json")
    if as_json:
        alerts = chosen.alerts.model_copy(update={"terminal": False})  # stdout is for the JSON
        chosen = chosen.model_copy(update={"alerts": alerts})
    service = build(chosen, sys.stdout)
    headline = _headline(chosen, service)
    if chosen.log.format == "json":
        logging.getLogger(__name__).info("%s", " ".join(headline.split()))
    else:
        typer.echo(headline, err=True)

    def stop(_number: int, _frame: FrameType | None) -> None:
        last.call()
        service.worker.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if not sys.stderr.isatty():  # there it means that the terminal is gone
        signal.signal(signal.SIGHUP, lambda *_: service.reload.ask(config))
    with ExitStack() as beside:
        if chosen.serve.enabled:
            service.watch_child(beside.enter_context(ServeChild(command(config))))
        service.run()
    counts = service.worker.counts
    if as_json:
        print_json(asdict(counts))
        return
    typer.echo(
        f"stopped: {counts.events:,} events read, {counts.rejected:,} refused, "
        f"{counts.anomalies:,} anomalies",
        err=True,
    )


def _known(store: Store) -> str:
    """How many agents the last checkpoints hold; one that came to two partitions counts twice."""
    with store.read_state() as state:
        profiles, calibrated = inventory.tally(state)
    if not profiles:
        return "none known yet"
    return f"{profiles:,} known, {calibrated:,} calibrated, {profiles - calibrated:,} learning"


def _headline(config: Config, service: Service) -> str:
    """What this daemon does, in a few lines for whoever started it."""
    armed = [rule.name for rule in config.trip.rules if rule.mode == "enforce"]
    mode = f"armed: {', '.join(armed)}" if armed else "observing: nothing is cut off by itself"
    told = ", ".join(service.worker.response.receivers) or "nobody: set slack.channel"
    hint = ""
    if config.source.kind == "log" and not Path(service.worker.source.name).exists():
        log_file = shlex.quote(service.worker.source.name)
        hint = f" (not there yet; to try: tripswitch simulate --live --speed 60 --out {log_file})"
    return (
        f"tripswitch reads {service.worker.source.name}{hint}\n"
        f"  store   {service.worker.store.url}\n"
        f"  agents  {_known(service.worker.store)}\n"
        f"  alerts  {told}\n"
        f"  trips   {mode}"
    )
