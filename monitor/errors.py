"""Errors that end a command: one line for the person, an exit code for the script."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit code means, for every command alike."""

    DONE = 0
    """Done, and confirmed."""
    USAGE = 2
    """Wrong usage or config."""
    PARTLY = 3
    """Partly confirmed; what is pending is being retried."""
    FAILED = 4
    NOT_FOUND = 5


class TripswitchError(Exception):
    """Something a person can act on. The message names what was wrong, where, and what to do."""

    exit_code = ExitCode.FAILED


class UsageError(TripswitchError):
    """Wrong usage or configuration."""

    exit_code = ExitCode.USAGE


class NotFoundError(TripswitchError):
    """What was asked for does not exist."""

    exit_code = ExitCode.NOT_FOUND
