"""What every command shares: the Typer app, common options, output, and how errors end."""

import gc
import importlib
import json
import os
import pwd
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.exceptions import TyperException

from monitor import config as settings
from monitor.errors import ExitCode, TripswitchError
from monitor.store import Store
from monitor.store.engine import STORE_ERRORS, reason

app: Final = typer.Typer(
    name="tripswitch",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

LOGIN_UID: Final = Path("/proc/self/loginuid")
_NO_LOGIN: Final = 2**32 - 1


@app.callback()
def _tripswitch() -> None:
    """Watches what AI agents do, says what is odd and why, and cuts an agent off."""


ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="TOML settings.", envvar="TRIPSWITCH_CONFIG", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]


MODULES: Final = {
    "ack": "lifecycle",
    "actions": "actions",
    "agent": "agent",
    "agents": "agents",
    "alerts": "alerts",
    "approvals": "approvals",
    "approve": "approvals",
    "audit": "audit",
    "autotrip": "autotrip",
    "boundaries": "boundaries",
    "config": "config",
    "decline": "approvals",
    "demo": "demo",
    "digest": "digest",
    "doctor": "doctor",
    "expected": "lifecycle",
    "explain": "explain",
    "grants": "grants",
    "holds": "holds",
    "kill": "kill",
    "map": "mapping",
    "mute": "mutes",
    "mutes": "mutes",
    "outbox": "outbox",
    "replay": "replay",
    "resolve": "lifecycle",
    "restore": "restore",
    "routes": "routes",
    "run": "run",
    "serve": "serve",
    "simulate": "simulate",
    "token": "token",
    "trips": "trips",
    "unmute": "mutes",
}
"""Which module has a command. Only that one is imported: `kill` must not wait for the daemon's."""


def register(arguments: Sequence[str]) -> None:
    """Import the module of the command that is named, or all of them to list or complete them."""
    named = MODULES.get(arguments[0]) if arguments else None
    gc.disable()  # as in `monitor.cli`
    for module in [named] if named else sorted(set(MODULES.values())):
        importlib.import_module(f"monitor.cli.{module}")
    gc.enable()


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
        if not said.startswith("Usage:"):
            context = getattr(error, "ctx", None)
            command = context.command_path if context else "tripswitch"
            said = f"tripswitch: {said.rstrip('.')}; `{command} --help` shows how it is used"
        _complain(said)
        return ExitCode.USAGE
    except TripswitchError as error:
        _complain(f"tripswitch: {error}")
        return error.exit_code
    except STORE_ERRORS as error:
        _complain(
            f"tripswitch: the store failed: {reason(error)}; `tripswitch doctor` looks into it"
        )
        return ExitCode.FAILED
    except OSError as error:  # such as a full disk under what is printed
        _complain(f"tripswitch: {error}")
        return ExitCode.FAILED
    except SystemExit as end:
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        return ExitCode.FAILED  # the reader of our output left; typer's own 1 means nothing here
    return result if isinstance(result, int) else ExitCode.DONE


@contextmanager
def read_or_not(*, err: bool = False) -> Iterator[None]:
    """Go on where what is printed inside cannot be: what was done stands, with its exit code.

    Parameters
    ----------
    err
        What is printed goes to stderr.
    """
    try:
        yield
    except OSError:  # the reader left, the terminal is gone, the disk is full
        stream = sys.stderr if err else sys.stdout
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())  # else the rest fails at the end, again


def _complain(said: str) -> None:
    with read_or_not(err=True):
        typer.echo(said, err=True)


def open_store(path: Path | None) -> tuple[settings.Config, Store]:
    """Load the settings and open their store."""
    config = settings.load(path)
    return config, Store.open(config.store)


def operator() -> str:
    """Who is at the keyboard, for the audit: `os:alice`, by `sudo` `os:root via os:alice`.

    It is whom the system runs this process as; no variable changes that. By whom it was entered
    is the login that the kernel keeps, or where it keeps none, what `sudo` says.
    """
    user = _name_of(os.getuid())
    via = _login()
    return f"os:{user}" if via in (None, user) else f"os:{user} via os:{via}"


def _login() -> str | None:
    """Who logged in, where that can be told."""
    try:
        uid = int(LOGIN_UID.read_text("ascii"))
    except (OSError, ValueError):
        uid = _NO_LOGIN
    if uid != _NO_LOGIN:
        return _name_of(uid)
    by_sudo = os.environ.get("SUDO_UID", "")
    return _name_of(int(by_sudo)) if by_sudo.isascii() and by_sudo.isdigit() else None


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return str(uid)  # as in a container, which has no names


def print_json(document: Mapping[str, Any]) -> None:
    """One JSON object on one line of stdout; non-ASCII is escaped, so no terminal interprets it."""
    typer.echo(json.dumps(document, ensure_ascii=True, default=str))


def print_json_lines(documents: Iterable[Mapping[str, Any]]) -> None:
    """A list as JSON: one object a line."""
    for document in documents:
        print_json(document)
