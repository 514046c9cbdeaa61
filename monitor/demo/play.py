"""The play: history, normal work, a hijack, the trip, silence; each step waited for, none assumed."""

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from typing import Final, TypeVar

from alerting.alert import Alert
from monitor.demo import follow
from monitor.demo.narrate import Narrator
from monitor.demo.stage import DemoError, Stage
from monitor.simulate.fleet import Fleet
from monitor.simulate.gateway import RegistryGateway
from monitor.simulate.incidents import Incident
from monitor.simulate.sink import FileSink
from monitor.simulate.stream import Pace, Summary, send
from monitor.simulate.work import Act

_AGENTS: Final = 8
_TEMPO: Final = 4.0
_VICTIM: Final = "payroll-01"
_HISTORY_S: Final = 7 * 86_400.0
_NORMAL_WORK_S: Final = 12.0
_AFTERWARDS_S: Final = 4.0
_TUESDAY_MORNING: Final = datetime(2026, 2, 10, 10, tzinfo=UTC)
"""Whatever the hour is, in the fleet's own time zone it is a working day."""
_LEARN_WITHIN_S: Final = 120.0
_NOTICE_WITHIN_S: Final = 15.0
_SILENT_WITHIN_S: Final = 40.0
_LOOK_EVERY_S: Final = 0.1

FoundT = TypeVar("FoundT")


class _Shown(FileSink):
    """The event log, with each event told as it is written."""

    def __init__(self, stage: Stage, narrator: Narrator) -> None:
        super().__init__(stage.events, append=True)
        self._narrator = narrator
        self.victims_first_wrong_s: float | None = None
        self.came_through = 0

    def write(self, agent_id: str, record: bytes) -> None:
        """Write one event and tell it."""
        super().write(agent_id, record)
        self._narrator.agent(json.loads(record))


class _Truth:
    """What only the simulator knows: when the hijack really began."""

    began_s: float | None = None

    def write(self, agent_id: str, record: bytes) -> None:
        """Take the time of the first event of the incident."""
        del agent_id
        if self.began_s is None:
            self.began_s = datetime.fromisoformat(json.loads(record)["time"]).timestamp()

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""


def play(stage: Stage, narrator: Narrator, seed: int) -> None:
    """Play the demo on a stage whose daemon is not yet started; leaves the daemon running.

    Raises
    ------
    DemoError
        If a step did not happen in time.
    """
    now_s = time.time()
    fleet = Fleet(
        seed,
        _AGENTS,
        now_s - _HISTORY_S,
        [Incident("hijack", now_s + _NORMAL_WORK_S, _VICTIM)],
        tempo=_TEMPO,
        time_zone_s=_TUESDAY_MORNING.timestamp() - now_s,
    )
    acts = fleet.acts()
    gateway = RegistryGateway(stage.store)
    gateway.enrol(fleet.scopes(), now_s)
    history, acts = _learn(stage, narrator, acts, now_s)

    narrator.chapter(f"Normal work: {_AGENTS} agents, live, through a gateway that asks for grants")
    narrator.say(f"(watch {_VICTIM}: a web page that it reads will hijack it)")
    sink, truth, stop, summary = _Shown(stage, narrator), _Truth(), threading.Event(), Summary()
    with closing(sink), ThreadPoolExecutor(1, "fleet") as pool:
        fleet_run = pool.submit(
            send, acts, now_s, sink, gateway, Pace(1.0, live=True), truth, summary, stop.is_set
        )
        try:
            scene = _Scene(stage, fleet_run)
            alert, trip = _incident(scene, narrator, truth)
            scene.rest(_AFTERWARDS_S)
        finally:
            stop.set()
    trip = follow.trip_of(stage.store, _VICTIM) or trip
    _sum_up(stage, narrator, history, summary, truth.began_s or 0.0, alert, trip)


class _Scene:
    """Waits for what must happen, while daemon and fleet live."""

    def __init__(self, stage: Stage, fleet_run: Future[Summary] | None = None) -> None:
        self._stage = stage
        self._fleet_run = fleet_run

    def until(self, look: Callable[[], FoundT | None], within_s: float, what: str) -> FoundT:
        """What `look` finds at last.

        Raises
        ------
        DemoError
            If it finds nothing in time, or daemon or fleet ended.
        """
        deadline_s = time.monotonic() + within_s
        while (found := look()) is None:
            self._alive()
            if time.monotonic() > deadline_s:
                raise DemoError(
                    f"did not happen within {within_s:.0f} s: {what} "
                    f"(see daemon.log in {self._stage.directory})"
                )
            time.sleep(_LOOK_EVERY_S)
        return found

    def rest(self, seconds: float) -> None:
        """Let some time pass."""
        deadline_s = time.monotonic() + seconds
        while time.monotonic() < deadline_s:
            self._alive()
            time.sleep(_LOOK_EVERY_S)

    def _alive(self) -> None:
        self._stage.check()
        if self._fleet_run is not None and self._fleet_run.done():
            self._fleet_run.result()  # raises what ended it
            raise DemoError("the fleet ended before the play did")


def _learn(
    stage: Stage, narrator: Narrator, acts: Iterator[Act], now_s: float
) -> tuple[int, Iterator[Act]]:
    """Write the history, wait until it is learned; returns its length and what comes after it."""
    narrator.chapter("The past: a week of normal work is written, and the daemon learns it")
    written, last_s, began_s = 0, 0.0, time.monotonic()
    with closing(FileSink(stage.events, append=True)) as sink:
        for act in acts:
            at_s = act.event.time.timestamp()
            if at_s >= now_s:
                acts = itertools.chain([act], acts)
                break
            sink.write(act.event.agent_id, act.event.model_dump_json(exclude_none=True).encode())
            written, last_s = written + 1, at_s
            if written % 1000 == 0:
                stage.check()
    narrator.say(f"{written} actions in {stage.events}")
    _Scene(stage).until(
        lambda: follow.learned_until(stage.store) >= last_s - 0.001 or None,
        _LEARN_WITHIN_S,
        "the daemon learning the history",
    )
    narrator.say(
        f"read, judged and learned in {time.monotonic() - began_s:.0f} s; false alarms on the "
        f"way: {follow.alert_count(stage.store)}, with a budget of 20 a week for each agent"
    )
    return written, acts


def _incident(scene: _Scene, narrator: Narrator, truth: _Truth) -> tuple[Alert, follow.Trip]:
    """From the first wrong action to silence."""
    store = scene.store
    began_s = scene.until(
        lambda: truth.began_s,
        _NORMAL_WORK_S + _NOTICE_WITHIN_S,
        "the hijack in the simulated fleet",
    )
    narrator.chapter(f"The incident: {_VICTIM} has read a page that tells it what to do")
    alert = scene.until(
        lambda: follow.alert_of(store, _VICTIM, began_s), _NOTICE_WITHIN_S, f"alert on {_VICTIM}"
    )
    trip = scene.until(
        lambda: follow.trip_of(store, _VICTIM), _NOTICE_WITHIN_S, f"trip of {_VICTIM}"
    )
    narrator.chapter(f"The trip: {trip.trip_id}, ordered {trip.ordered_at - began_s:.2f} s after "
                     "the first wrong action")  # fmt: skip

    def contained() -> follow.Trip | None:
        found = follow.trip_of(store, _VICTIM)
        return found if found is not None and found.contained_at is not None else None

    def silent() -> follow.Trip | None:
        found = follow.trip_of(store, _VICTIM)
        return found if found is not None and found.silent_at is not None else None

    scene.until(contained, _NOTICE_WITHIN_S, f"containment of {_VICTIM}")
    narrator.say(
        f"every enforcement point confirmed; {_VICTIM} will go on trying, and the daemon "
        "watches the stream until it sees silence"
    )
    return alert, scene.until(silent, _SILENT_WITHIN_S, f"silence of {_VICTIM}")
