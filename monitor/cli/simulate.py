"""`tripswitch simulate`: a fleet of agents at work, with incidents if you ask for them."""

import itertools
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from monitor import config as settings
from monitor.cli.app import ConfigOption, JsonOption, app, print_json
from monitor.config import Config
from monitor.duration import parse_duration
from monitor.errors import ExitCode, UsageError
from monitor.simulate.fleet import Fleet
from monitor.simulate.gateway import Gateway, OpenGateway, RegistryGateway
from monitor.simulate.incidents import KINDS, Incident
from monitor.simulate.sink import FileSink, KafkaSink, Sink
from monitor.simulate.stream import Pace, Summary, send
from monitor.simulate.work import Act
from monitor.store import Store

_START: Final = datetime(2026, 2, 2, tzinfo=UTC)
"""A Monday. Fixed, so that the same command line gives the same events on any day."""
_INCIDENT: Final = re.compile(r"(?P<kind>[a-z_-]+)(?::(?P<agent>[^@]+))?@(?P<when>.+)")


@app.command(
    epilog="Example: tripswitch simulate --duration 2d --incident hijack@+26h "
    "--truth truth.jsonl --out events.jsonl"
)
def simulate(
    agents: Annotated[int, typer.Option(min=1, max=100_000, help="How many agents.")] = 12,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same events.")] = 1,
    start: Annotated[
        str | None, typer.Option(help="RFC 3339; by default 2026-02-02, with --live now.")
    ] = None,
    duration: Annotated[
        str | None,
        typer.Option(help="Simulated time, as 3h or 2d; by default 1d, or endless with --live."),
    ] = None,
    incident: Annotated[
        list[str] | None,
        typer.Option(help=f"KIND[:AGENT]@WHEN; kinds: {', '.join(KINDS)}. May be repeated."),
    ] = None,
    out: Annotated[Path, typer.Option(help="JSONL file; - is standard output.")] = Path("-"),
    append: Annotated[bool, typer.Option("--append", help="Add to the file.")] = False,
    kafka: Annotated[bool, typer.Option("--kafka", help="Into source.topic instead.")] = False,
    gateway: Annotated[
        bool, typer.Option("--gateway", help="Ask the grants registry before each action.")
    ] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Event time is now; paced, at speed 1 by default.")
    ] = False,
    speed: Annotated[
        float | None, typer.Option(min=0, help="Simulated seconds a second; 0: do not wait.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(min=0.001, help="Events a second, for load tests.")
    ] = None,
    tempo: Annotated[
        float, typer.Option(min=0.001, help="How many times as many runs as usual.")
    ] = 1.0,
    truth: Annotated[
        Path | None, typer.Option(help="JSONL: which events belong to which incident.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> int:
    """Simulate a fleet of agents of several roles, and incidents among them.

    For demos, load tests and trying things out. Its agents are far more regular than real
    ones: nothing measured on them says how good detection is.

    WHEN is a time (2026-02-03T10:00), or +2h after the start of the simulated time. Without
    AGENT one that suits is chosen from the seed. An incident ends by itself.
    """
    if kafka and (out != Path("-") or append):
        raise UsageError("--kafka and --out: choose one")
    to_stdout = not kafka and out == Path("-")
    if as_json and to_stdout:
        raise UsageError("--json prints its summary on stdout: send the events to --out FILE")
    if rate is not None and speed is not None:
        raise UsageError("--rate and --speed: choose one, both say when events are sent")
    if not live and start is None:
        start_s = _START.timestamp()
    else:
        start_s = _time("--start", start) if start is not None else time.time()
    length_s = parse_duration(duration) if duration else None if live else 86_400.0
    incidents = [_incident(text, start_s, length_s) for text in incident or ()]
    fleet = Fleet(seed, agents, start_s, incidents, tempo=tempo)
    pace = Pace(speed if speed is not None else float(live), rate, live)
    loaded = settings.load(config) if kafka or gateway else None
    with ExitStack() as stack:
        sink = stack.enter_context(closing(_sink(loaded if kafka else None, out, append=append)))
        aside = stack.enter_context(closing(FileSink(truth))) if truth else None
        asked = stack.enter_context(_gateway(loaded if gateway else None, fleet, pace, start_s))
        summary = send(_until(fleet, start_s, length_s), start_s, sink, asked, pace, aside)
    _report(summary, as_json)
    return ExitCode.FAILED if summary.interrupted and not live else ExitCode.DONE


def _incident(text: str, start_s: float, length_s: float | None) -> Incident:
    found = _INCIDENT.fullmatch(text)
    if found is None:
        raise UsageError(f"--incident {text!r}: write KIND@WHEN or KIND:AGENT@WHEN, as hijack@+2h")
    when = found["when"]
    relative = when.startswith("+")
    at_s = start_s + parse_duration(when[1:]) if relative else _time("--incident", when)
    if at_s < start_s or (length_s is not None and at_s >= start_s + length_s):
        raise UsageError(f"--incident {text!r} lies outside the simulated time; see --duration")
    return Incident(found["kind"].replace("-", "_"), at_s, found["agent"])


def _time(option: str, text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option}: {text!r} is no time; write it as 2026-02-03T10:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _sink(config: Config | None, out: Path, *, append: bool) -> Sink:
    if config is None:
        return FileSink(None if out == Path("-") else out, append=append)
    if not config.kafka.bootstrap_servers:
        raise UsageError("--kafka: set kafka.bootstrap_servers")
    return KafkaSink(config.kafka, config.source.read_topics[0])


def _until(fleet: Fleet, start_s: float, length_s: float | None) -> Iterator[Act]:
    if length_s is None:
        return fleet.acts()
    end = datetime.fromtimestamp(start_s + length_s, UTC)
    return itertools.takewhile(lambda act: act.event.time < end, fleet.acts())


@contextmanager
def _gateway(config: Config | None, fleet: Fleet, pace: Pace, start_s: float) -> Iterator[Gateway]:
    if config is None:
        yield OpenGateway()
        return
    with closing(Store.open(config.store)) as store:
        registry = RegistryGateway(store)
        registry.enrol(fleet.scopes(), pace.clock() if pace.live else start_s)
        yield registry


def _report(summary: Summary, as_json: bool) -> None:
    document = summary.document()
    if as_json:
        print_json(document)
        return
    incidents = ", ".join(f"{name} {count}" for name, count in summary.incidents.items())
    typer.echo(
        f"{summary.events} events of {len(summary.agents)} agents in {summary.seconds:.1f} s"
        f"; denied: {summary.denied}; of incidents: {incidents or 'none'}",
        err=True,
    )
