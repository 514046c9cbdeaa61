"""A job on Quix Streams: state in RocksDB, backed by changelog topics, at least once.

    python -m tests.bench.rivals.quix JOB BROKER TOPIC EVENTS DIRECTORY

`same` keeps a profile as plain data, under one key; `plain` each number and name under
a key of its own.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from quixstreams import Application, State  # type: ignore[import-not-found]

from baselines.event import ActionEvent
from tests.bench.rivals import plain, same


def run(job: str, broker: str, topic: str, events: int, directory: str) -> float:
    """Read so many events; seconds from the first to the commit behind the last."""
    began_s, left = 0.0, events

    def count(_topic: str, _partition: int, _offset: int) -> None:
        nonlocal left
        left -= 1
        if not left:
            app.stop()

    app = Application(
        broker_address=broker,
        consumer_group=Path(directory).name,
        auto_offset_reset="earliest",
        state_dir=directory,
        loglevel="ERROR",
        on_message_processed=count,
    )

    def parsed(raw: bytes) -> ActionEvent | None:
        nonlocal began_s
        began_s = began_s or time.perf_counter()
        return plain.parse(raw)

    stream = app.dataframe(app.topic(topic, value_deserializer="bytes", key_deserializer="str"))
    stream = stream.apply(parsed)
    stream = stream[stream.apply(lambda event: event is not None)]
    stream.apply(JOBS[job], stateful=True).filter(bool)
    app.run()
    return time.perf_counter() - began_s


def _same(event: ActionEvent, state: State) -> bool:
    stored = state.get_bytes("profile")
    profile, odd = same.step(same.restored(stored) if stored else None, event)
    state.set_bytes("profile", same.kept(profile))
    return odd


def _plain(event: ActionEvent, state: State) -> bool:
    known = state.get("levels") or plain.levels()
    odd = plain.observe(known, event)
    state.set("levels", known)
    for term in plain.terms(event):
        if not state.exists(term):
            state.set(term, True)
            odd = True
    return odd


JOBS: dict[str, Callable[[ActionEvent, State], bool]] = {"same": _same, "plain": _plain}


if __name__ == "__main__":
    which, at, topic, events, directory = sys.argv[1:]
    print(json.dumps({"seconds": run(which, at, topic, int(events), directory)}))
