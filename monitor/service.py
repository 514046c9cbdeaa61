"""The service: puts the parts together, runs them, and stops them in order."""

import gc
import logging
import os
import socket
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, TextIO

from apscheduler.schedulers.background import (  # type: ignore[import-untyped]
    BackgroundScheduler,
)
from filelock import FileLock, Timeout

from monitor import policies
from monitor.audit_heads import Publisher
from monitor.config import Config
from monitor.current import Current
from monitor.dead_letter import open_dead_letters
from monitor.decode import Decoder
from monitor.digest import Digests
from monitor.dispatcher import Dispatcher
from monitor.enforcement import enforcement_points, point_limits, point_names
from monitor.errors import TripswitchError
from monitor.gauges import Gauges
from monitor.health import Health
from monitor.health_probes import lanes_probe, serve_probe
from monitor.health_watch import watch
from monitor.heartbeat import Heartbeat
from monitor.jobs import schedule
from monitor.kill_lane import Driver, KillLane
from monitor.mapping import mapper
from monitor.metrics import Metrics
from monitor.producers import open_producers
from monitor.receivers import lease_s, open_receivers
from monitor.reload import Reload
from monitor.roundup import Roundup
from monitor.routing import fallback, routing
from monitor.serve_child import ServeChild
from monitor.slack import open_socket
from monitor.slack_socket import SlackSocket
from monitor.sources import Source
from monitor.sources.clients import kafka_source
from monitor.sources.log_file import LogFileSource, log_path
from monitor.sources.stdin import StdinSource
from monitor.status import Status
from monitor.store import Store
from monitor.timing import Timing
from monitor.watchtower import Watchtower
from monitor.worker import Worker

log = logging.getLogger(__name__)

LANES_STOP_WITHIN_S: Final = 7.0
"""Of a stop, all lanes together; `last_call` ends what takes longer altogether."""
_SWITCH_INTERVAL_S: Final = 0.001
"""So long a thread goes on while others wait for the interpreter, as a kill does some thirty times.
With Python's own 5 ms, beside a worker at full speed, an order took 1.2 to 1.7 times as long."""


def process_name() -> str:
    """Names this process in claims and leases: host, process, and when it began."""
    return f"{socket.gethostname()}:{os.getpid()}:{int(time.time())}"


def collect_rarely() -> None:
    """Set the garbage collector for a stream: events die young, profiles hardly ever.

    Reference counting frees events, and steady work leaves next to nothing in cycles. What a full
    collection looks through are the profiles, some ten microseconds each: so there is hardly ever
    one. Those of the young are small and frequent, for the loop stands still meanwhile: each agent
    that is new or comes back brings thousands of objects, and as one that rests takes its own away
    the collector, which counts what is more than before, would not begin until there are far more.
    """
    gc.set_threshold(1000, 4, 20_000)
    gc.freeze()


@dataclass(slots=True)
class Service:
    """A running Tripswitch, made by `build`.

    Attributes
    ----------
    worker
        Runs on the caller's thread; the lanes have threads of their own.
    health
        Watches all of it.
    reload
        Reads the settings again.
    """

    worker: Worker
    _dispatcher: Dispatcher
    _kill_lane: KillLane
    _jobs: BackgroundScheduler
    health: Health
    reload: Reload
    _heartbeat: Heartbeat | None
    _slack: SlackSocket | None
    _stack: ExitStack

    def watch_child(self, child: ServeChild) -> None:
        """Watch the HTTP API that was started beside it, too."""
        self.health.probes.append(serve_probe(child))

    def close(self) -> None:
        """Close what `build` opened, of a service that does not run."""
        self._stack.close()

    def run(self) -> None:
        """Run until `worker.stop` is called or the source is exhausted; then stop in order.

        Raises
        ------
        TripswitchError
            If the source cannot be read.
        """
        collect_rarely()
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        self._kill_lane.start()
        self._dispatcher.start()
        self._jobs.start()
        if self._heartbeat is not None:
            self._heartbeat.start()
        if self._slack is not None:
            self._slack.start()
        self.health.probes.append(lanes_probe())
        try:
            self.worker.run()
        finally:
            deadline_s = time.monotonic() + LANES_STOP_WITHIN_S
            self._jobs.shutdown(wait=False)
            if self._slack is not None:
                self._slack.stop(1.0)
            self._kill_lane.stop(max(0.1, deadline_s - time.monotonic()))
            self._dispatcher.stop(max(0.1, deadline_s - time.monotonic()))
            self._stack.close()


def build(config: Config, stream: TextIO) -> Service:
    """Open the store, the source and everything else that the settings name.

    Parameters
    ----------
    config
        The settings.
    stream
        Where the terminal's receiver writes alerts.

    Raises
    ------
    TripswitchError
        If any of it cannot be had; the message names it. What was opened is closed again.
    """
    with ExitStack() as stack:
        store = Store.open(config.store)
        stack.callback(store.close)
        _lock(store, stack)
        receivers = open_receivers(config, stream)
        response = policies.response(config, routing(config), point_names(config))
        dispatcher = Dispatcher(
            store, receivers, fallback=fallback(config), lease_s=lease_s(config)
        )
        points = enforcement_points(config)
        for point in points.values():
            stack.callback(point.close)
        metrics = Metrics() if config.metrics.port is not None else None
        driver = Driver(
            store,
            points,
            owner=process_name(),
            receivers=response.receivers,
            timeout_s=config.trip.point_timeout_s,
            limits=point_limits(config),
            on_attempt=metrics.attempted if metrics else None,
        )
        kill_lane = KillLane(driver, store.url)
        dead_letters = open_dead_letters(config)
        stack.callback(dead_letters.close)
        source = _open_source(config)
        stack.callback(source.close)

        def wake() -> None:
            kill_lane.wake()
            dispatcher.wake()

        roundup = Roundup(store, response.points, response.receivers)
        worker = Worker(
            source=source,
            store=store,
            dead_letters=dead_letters,
            policy=policies.detection(config),
            response=response,
            watchtower=Watchtower(config.trip.allowed_skew_s, config.trip.silent_after_s),
            owner=process_name(),
            on_ledger=wake,
            roundup=roundup,
            decoder=Decoder(mapper(config.source), open_producers(config)),
            keeps_history=config.history.is_kept,
            timing=Timing(
                checkpoint_s=config.store.checkpoint_interval_s,
                max_resident_agents=config.store.max_resident_agents,
                max_active_agents=config.store.max_active_agents,
            ),
        )
        publisher = None
        if config.kafka.bootstrap_servers:
            publisher = Publisher(store, config.kafka)
            stack.callback(publisher.close)
        current = Current(config)
        health = watch(current, worker, publisher, wake, stack)
        if metrics is not None and config.metrics.port is not None:
            metrics.registry.register(Gauges(worker, health))
            stack.callback(metrics.serve(config.metrics.host, config.metrics.port, health))
        heartbeat = None
        if config.heartbeat.url is not None:
            heartbeat = Heartbeat(config.heartbeat, health.is_well)
            health.probes.append(heartbeat.troubles)
            stack.callback(heartbeat.stop)
        digests = Digests(current, store, response.receivers, wake)
        status = Status(worker, health)
        jobs = schedule(
            current, store, response, metrics, publisher, roundup, wake, health, digests, status
        )
        reload = Reload(current, worker, dispatcher)
        slack = open_socket(config, store, response, wake)
        if slack is not None:
            health.probes.append(slack.troubles)
        return Service(
            worker, dispatcher, kill_lane, jobs, health, reload, heartbeat, slack, stack.pop_all()
        )


def _lock(store: Store, stack: ExitStack) -> None:
    """SQLite takes one daemon per store; a second one would fight over the shards."""
    path = store.lock_path()
    if path is not None:
        try:
            stack.enter_context(FileLock(path, timeout=0))
        except Timeout:
            raise TripswitchError(
                f"another daemon runs on {store.url}; stop it, or give this one another "
                "store.url (PostgreSQL takes many daemons)"
            ) from None


def _open_source(config: Config) -> Source:
    if config.source.kind == "kafka":
        return kafka_source(config.source, config.kafka)
    if config.source.kind == "stdin":
        return StdinSource()
    return LogFileSource(log_path(config.source), config.source.start)
