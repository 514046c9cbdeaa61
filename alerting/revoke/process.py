"""Runs one command under a time limit, without a shell, and nothing of it stays behind."""

import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

MAX_OUTPUT_BYTES: Final = 4096
_LOOK_EVERY_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended; a negative `code` is the signal that ended it."""

    code: int
    output: str
    """The beginning of what it wrote to standard output and error."""


def run(
    arguments: Sequence[str], environment: Mapping[str, str], stdin: bytes, timeout_s: float
) -> Ended:
    """Run a command to its end, or to the end of its time.

    It has a process group of its own, which is killed as a whole when the command has ended or
    its time is over: nothing that it started in the group acts later.

    Raises
    ------
    TimeoutError
        If it did not end within `timeout_s`.
    OSError, ValueError
        If it cannot be started.
    """
    deadline = time.monotonic() + timeout_s
    with tempfile.TemporaryFile() as told:  # a pipe could fill up before the command reads it
        told.write(stdin)
        told.seek(0)
        process = subprocess.Popen(  # noqa: S603 # a list of arguments from the settings, no shell
            list(arguments),
            env=dict(environment),
            stdin=told,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    with process:
        try:
            output = _watch(process, deadline)
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    return Ended(process.wait(), output.decode("utf-8", "replace"))


def _watch(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """Wait for the end; what the command wrote, up to the limit.

    What it left running may hold its output open, so the end of the output is not waited for.
    """
    assert process.stdout is not None
    pipe, kept = process.stdout.fileno(), b""
    os.set_blocking(pipe, False)
    is_open = True
    while True:
        has_ended = process.poll() is not None
        if is_open and select.select([pipe], [], [], 0 if has_ended else _LOOK_EVERY_S)[0]:
            chunk = os.read(pipe, MAX_OUTPUT_BYTES)
            is_open = bool(chunk)
            kept = (kept + chunk)[:MAX_OUTPUT_BYTES]
        elif has_ended:
            return kept
        elif not is_open:
            time.sleep(_LOOK_EVERY_S)
        if time.monotonic() > deadline:
            raise TimeoutError
