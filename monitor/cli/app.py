"""What every command shares: the Typer app, common options, output, and how errors end."""

import getpass
import importlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from sqlalchemy.exc import DBAPIError
from typer.exceptions import TyperException

from monitor import config as settings
from monitor.errors import ExitCode, TripswitchError
from monitor.store import Store
from monitor.store.engine import reason

app: Final = typer.Typer(
    name="tripswitch",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _tripswitch() -> None:
    """Watches what AI agents do, says what is odd and why, and cuts an agent off."""


ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="TOML settings.", envvar="TRIPSWITCH_CONFIG", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]


MODULES: Final = {
    "agents": "agents",
    "alerts": "alerts",
    "audit": "audit",
    "boundaries": "boundaries",
    "config": "config",
    "demo": "demo",
    "explain": "explain",
    "grants": "grants",
    "kill": "kill",
    "replay": "replay",
    "resolve": "alerts",
    "restore": "kill",
    "run": "run",
    "simulate": "simulate",
    "trips": "trips",
}
"""Which module has a command. Only that one is imported: `kill` must not wait for the daemon's."""


def register(arguments: Sequence[str]) -> None:
    """Import the module of the command that is named, or all of them to list or complete them."""
    named = MODULES.get(arguments[0]) if arguments else None
    for module in [named] if named else sorted(set(MODULES.values())):
        importlib.import_module(f"monitor.cli.{module}")


def main() -> None:
    """Entry point of the `tripswitch` command."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line; an error becomes one line on stderr and an exit code."""
    register(arguments)
    try:
        result = typer.main.get_command(app).main(arguments, "tripswitch", standalone_mode=False)
    except typer.Abort:
        return ExitCode.FAILED
    except TyperException as error:
        said = error.format_message()  # the whole help where no command was named
        typer.echo(said if said.startswith("Usage:") else f"tripswitch: {said}", err=True)
        return ExitCode.USAGE
    except TripswitchError as error:
        typer.echo(f"tripswitch: {error}", err=True)
        return error.exit_code
    except DBAPIError as error:
        typer.echo(f"tripswitch: the store failed: {reason(error)}", err=True)
        return ExitCode.FAILED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output left; Python would complain at exit
        return ExitCode.DONE
    return result if isinstance(result, int) else ExitCode.DONE


def open_store(path: Path | None) -> tuple[settings.Config, Store]:
    """Load the settings and open their store."""
    config = settings.load(path)
    return config, Store.open(config.store)


def operator() -> str:
    """Who is at the keyboard, for the audit: `os:alice`."""
    return f"os:{getpass.getuser()}"


def print_json(document: Mapping[str, Any]) -> None:
    """One JSON object on one line of stdout; non-ASCII is escaped, so no terminal interprets it."""
    typer.echo(json.dumps(document, ensure_ascii=True, default=str))


def print_json_lines(documents: Iterable[Mapping[str, Any]]) -> None:
    """A list as JSON: one object a line."""
    for document in documents:
        print_json(document)
