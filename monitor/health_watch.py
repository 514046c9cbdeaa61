"""What the daemon's health looks at: puts the probes together."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from alerting.health import Trouble
from monitor.audit_heads import Publisher
from monitor.current import Current
from monitor.health import Health
from monitor.health_probes import Probe, SourceProbe, WorkerProbe
from monitor.health_source import open_ends
from monitor.worker import Worker


def watch(
    current: Current,
    worker: Worker,
    publisher: Publisher | None,
    wake: Callable[[], None],
    stack: ExitStack,
) -> Health:
    """The daemon's health, not looking yet."""
    config = current.config
    ends = open_ends(config, worker.source)
    if ends is not None:
        stack.callback(ends.close)
    probes: list[Probe] = [
        SourceProbe(worker, ends, current),
        WorkerProbe(worker, current),
    ]
    if publisher is not None:
        probes.append(_heads_probe(publisher, config.kafka.audit_topic))
    # One daemon uses a SQLite store, so it takes over what it said before a restart.
    name = "daemon" if worker.store.is_sqlite else f"{socket.gethostname()}:{os.getpid()}"
    return Health(
        worker.store,
        current,
        process=name,
        receivers=worker.response.receivers,
        pulse=worker.pulse,
        probes=probes,
        wake=wake,
    )


def _heads_probe(publisher: Publisher, topic: str) -> Probe:
    def probe(now_s: float) -> Iterator[Trouble]:
        del now_s
        if publisher.failing is not None:
            yield Trouble("audit_heads", topic, f"the head is not published: {publisher.failing}")

    return probe
