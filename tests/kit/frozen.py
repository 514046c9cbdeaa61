"""Freezing a process that a test has started."""

import os
import signal
import subprocess


def freeze(process: subprocess.Popen[bytes]) -> None:
    """Stop it; returns when all of its threads stand still, as one may run on after the signal."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
