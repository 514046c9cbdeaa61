"""A command that cuts agents off and gives them back, and fails at random until it is calm.

Run as `python -I -S fickle_command.py DIRECTORY SEED`. For each agent there is a file of what it
was told, one line an attempt: the order's number, the state it asked for, and what came of it.
"""

import fcntl
import os
import signal
import sys
import time
import zlib
from pathlib import Path
from typing import Final

CALM: Final = "calm"
"""While there is a file of this name nothing fails."""
_DONE: Final = ("done", "done, said otherwise", "done, killed", "done late")
_FATES: Final = ("done",) * 75 + ("failed",) * 9 + _DONE[1:2] * 7 + _DONE[2:3] * 4 + _DONE[3:] * 5


def main() -> int:
    directory, seed = Path(sys.argv[1]), sys.argv[2]
    agent, seq, direction = (
        os.environ[f"TRIPSWITCH_{name}"] for name in ("AGENT_ID", "ORDER_SEQ", "DIRECTION")
    )
    with (directory / agent).open("a+") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        log.seek(0)
        told = log.read().splitlines()
        chance = zlib.crc32(f"{seed}/{agent}/{seq}/{len(told)}".encode()) % len(_FATES)
        fate = "done" if (directory / CALM).exists() else _FATES[chance]
        if int(seq) < max((int(line.split()[0]) for line in told), default=0):
            fate = "outdated"
        if fate == "done late":
            time.sleep(0.5)
        log.write(f"{seq} {direction} {fate}\n")
    if fate == "done, killed":
        os.kill(os.getpid(), signal.SIGKILL)
    return 0 if fate in ("done", "done late") else 1


def obeyed(directory: Path, agent: str) -> dict[int, set[str]]:
    """The orders that took effect, by number, and the direction of each."""
    file = directory / agent
    found: dict[int, set[str]] = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        seq, direction, fate = line.split(maxsplit=2)
        if fate in _DONE:
            found.setdefault(int(seq), set()).add(direction)
    return found


if __name__ == "__main__":
    sys.exit(main())
