"""An enforcement point that is a command: argument lists, no shell, a scrubbed environment.

Each list is a program and its arguments. A placeholder is a whole argument, so a hostile value is
one argument whatever it holds; and because one that begins with a dash could be taken for an
option, it is refused unless a `--` stands before it in the list. Programs that know no `--` read
the order from `TRIPSWITCH_AGENT_ID` and the like, or as one line of JSON on standard input.

Exit code 0 means done. Of `verify`, 0 means in force and 1 not in force.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Final

from alerting.killswitch import Direction, Order
from alerting.ports import RevokeError
from alerting.render import clean
from alerting.revoke import process
from alerting.revoke.orders import PLACEHOLDERS, LastOrders, record, values
from alerting.wire.answer import hide

_ALWAYS_PASSED: Final = ("PATH", "LANG")
_NOT_IN_FORCE: Final = 1
_MAX_QUOTED_CHARS: Final = 200


def check_arguments(arguments: Sequence[str]) -> None:
    """Refuse what can be no argument list.

    Raises
    ------
    ValueError
        Saying which argument is wrong, and why.
    """
    if not arguments or not arguments[0] or arguments[0].startswith("$"):
        raise ValueError("the first argument is the program to run")
    for argument in arguments:
        if "\x00" in argument:
            raise ValueError(f"{argument!r} holds a NUL")
        if "$" in argument and not _name_of(argument):
            raise ValueError(
                f"{argument!r}: a placeholder is a whole argument, one of "
                f"${', $'.join(PLACEHOLDERS)}"
            )


class CommandPoint:
    """Runs a command for each order.

    Parameters
    ----------
    name
        Of the point.
    commands
        What to run to `revoke` and to `restore`.
    verify, check
        What to run to ask; None if nothing can be asked.
    variables
        Names of environment variables that the commands get beside `PATH`, `LANG` and those of
        the order.
    """

    def __init__(
        self,
        name: str,
        commands: Mapping[Direction, Sequence[str]],
        *,
        verify: Sequence[str] | None = None,
        check: Sequence[str] | None = None,
        variables: Sequence[str] = (),
    ) -> None:
        self.name = name
        self._commands = commands
        self._verify = verify
        self._check = check
        self._variables = variables
        self._last = LastOrders()

    def check(self, timeout_s: float = 5.0) -> None:
        """See whether the programs are there, and run the check if there is one.

        Raises
        ------
        RevokeError
            If one is missing, or the check does not end with 0.
        """
        for arguments in (*self._commands.values(), self._verify, self._check):
            if arguments and shutil.which(arguments[0]) is None:
                raise RevokeError(f"there is no program {arguments[0]!r} that can be run")
        if self._check is not None:
            self._run(self._check, None, timeout_s)

    def revoke(self, order: Order, timeout_s: float) -> None:
        """Run the command that cuts an agent off.

        Raises
        ------
        RevokeError
            If it did not end with 0 within `timeout_s`.
        """
        self._last.admit(order)
        self._run(self._commands["revoke"], order, timeout_s)

    def restore(self, order: Order, timeout_s: float) -> None:
        """Run the command that gives an agent back.

        Raises
        ------
        RevokeError
            If it did not end with 0 within `timeout_s`.
        """
        self._last.admit(order)
        self._run(self._commands["restore"], order, timeout_s)

    def verify(self, order: Order, timeout_s: float) -> bool | None:
        """Run the command that looks whether an order is in force, if there is one.

        Raises
        ------
        RevokeError
            If it ended neither with 0 nor with 1 within `timeout_s`.
        """
        if self._verify is None:
            return None
        return self._run(self._verify, order, timeout_s, (0, _NOT_IN_FORCE)) == 0

    def close(self) -> None:
        """Nothing runs between orders."""

    def _run(
        self,
        arguments: Sequence[str],
        order: Order | None,
        timeout_s: float,
        wanted: Sequence[int] = (0,),
    ) -> int:
        program = arguments[0]
        told = values(order) if order else {}
        passed = {
            name: os.environ[name]
            for name in (*_ALWAYS_PASSED, *self._variables)
            if name in os.environ
        }
        order_variables = {f"TRIPSWITCH_{name.upper()}": value for name, value in told.items()}
        stdin = json.dumps(record(order)).encode() + b"\n" if order else b""
        try:
            ended = process.run(
                _filled(arguments, told), {**passed, **order_variables}, stdin, timeout_s
            )
        except TimeoutError:
            raise RevokeError(f"{program} did not end within {timeout_s:g} s") from None
        except OSError as error:
            raise RevokeError(f"{program} cannot be run: {error.strerror}") from None
        except ValueError:  # a NUL, a lone surrogate
            raise RevokeError(f"{program} cannot be told such an id or reason") from None
        if ended.code in wanted:
            return ended.code
        how = f"exit code {ended.code}" if ended.code >= 0 else f"signal {-ended.code}"
        secrets = [passed[name] for name in self._variables if name in passed]
        said = clean(" ".join(hide(ended.output, secrets).split()), _MAX_QUOTED_CHARS)
        raise RevokeError(f"{program} ended with {how}{': ' if said else ''}{said}")


def _filled(arguments: Sequence[str], told: Mapping[str, str]) -> list[str]:
    filled: list[str] = []
    for argument in arguments:
        name = _name_of(argument)
        value = told[name] if name else argument
        if name and value.startswith("-") and "--" not in filled:
            raise RevokeError(
                f"{name} begins with a dash and could be taken for an option; put '--' before "
                f"${name} in the arguments, or let the program read TRIPSWITCH_{name.upper()}"
            )
        filled.append(value)
    return filled


def _name_of(argument: str) -> str | None:
    """The placeholder that an argument is; None if it is none."""
    name = argument.removeprefix("$")
    return name if name in PLACEHOLDERS and argument.startswith("$") else None
