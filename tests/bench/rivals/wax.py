"""A job on Bytewax, with recovery: state in memory, what changed is stored every few seconds.

python -m tests.bench.rivals.wax JOB BROKER TOPIC EVENTS DIRECTORY
"""

import json
import sys
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op  # type: ignore[import-not-found]
from bytewax._bytewax import init_db_dir, run_main  # type: ignore[import-not-found]
from bytewax.connectors.kafka import (  # type: ignore[import-not-found]
    KafkaSource,
    KafkaSourceMessage,
)
from bytewax.dataflow import Dataflow  # type: ignore[import-not-found]
from bytewax.outputs import (  # type: ignore[import-not-found]
    DynamicSink,
    StatelessSinkPartition,
)
from bytewax.recovery import RecoveryConfig  # type: ignore[import-not-found]

from baselines.event import ActionEvent
from baselines.profile import Profile
from tests.bench.rivals import plain, same


class _Nowhere(DynamicSink, StatelessSinkPartition):  # type: ignore[misc]
    def build(self, step_id: str, worker_index: int, worker_count: int) -> "_Nowhere":
        return self

    def write_batch(self, items: list[object]) -> None:
        pass


def run(job: str, broker: str, topic: str, directory: str) -> float:
    """Read the topic to its end; seconds from the first event to the last snapshot."""
    began_s = 0.0

    def keyed(message: KafkaSourceMessage) -> Iterable[tuple[str, ActionEvent]]:
        nonlocal began_s
        began_s = began_s or time.perf_counter()
        event = plain.parse(message.value)
        return () if event is None else ((event.agent_id, event),)

    flow = Dataflow("job")
    messages = op.input("read", flow, KafkaSource([broker], [topic], tail=False))
    judged = op.stateful_map("learn", op.flat_map("parse", messages, keyed), JOBS[job])
    op.output("out", op.filter("odd", judged, lambda one: one[1]), _Nowhere())
    init_db_dir(Path(directory), 1)
    run_main(
        flow,
        epoch_interval=timedelta(seconds=5),
        recovery_config=RecoveryConfig(Path(directory)),
    )
    return time.perf_counter() - began_s


class _Kept:
    """A profile in memory, which Bytewax copies for a snapshot as plain data."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile

    def __deepcopy__(self, memo: dict[int, Any]) -> bytes:
        return same.kept(self.profile)


def _same(known: _Kept | bytes | None, event: ActionEvent) -> tuple[_Kept, bool]:
    if isinstance(known, bytes):
        known = _Kept(same.restored(known))
    profile, odd = same.step(known.profile if known else None, event)
    return _Kept(profile), odd


def _plain(known: Any, event: ActionEvent) -> tuple[Any, bool]:
    levels, terms = known or (plain.levels(), set[str]())
    odd = plain.observe(levels, event)
    new = set(plain.terms(event)) - terms
    terms.update(new)
    return (levels, terms), odd or bool(new)


JOBS: dict[str, Callable[[Any, ActionEvent], tuple[Any, bool]]] = {
    "same": _same,
    "plain": _plain,
}


if __name__ == "__main__":
    which, at, topic, _events, directory = sys.argv[1:]
    print(json.dumps({"seconds": run(which, at, topic, directory)}))
