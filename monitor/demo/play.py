"""The play: a past, normal work, a hijack, the trip, silence. Each step is waited for."""

import itertools
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from alerting.alert import Alert
from detectors.finding import Anomaly
from monitor.demo import follow
from monitor.demo.narrate import Narrator
from monitor.demo.stage import DemoError, Stage
from monitor.demo.wait import Wait
from monitor.ledger.trips import Trip
from monitor.simulate.fleet import Fleet
from monitor.simulate.gateway import RegistryGateway
from monitor.simulate.incidents import Incident
from monitor.simulate.sink import FileSink
from monitor.simulate.stream import Pace, Summary, send
from monitor.simulate.work import Act

VICTIM: Final = "payroll-01"
_AGENTS: Final = 8
_TEMPO: Final = 7.0
_HISTORY_S: Final = 3 * 86_400.0
_NORMAL_WORK_S: Final = 15.0
_AFTERWARDS_S: Final = 3.0
_FRIDAY_MORNING: Final = datetime(2026, 2, 13, 10, tzinfo=UTC)
"""Whatever the hour is, in the fleet's own time zone it is a working day."""

_LEARN_WITHIN_S: Final = 120.0
_NOTICE_WITHIN_S: Final = 15.0
_SILENT_WITHIN_S: Final = 40.0


@dataclass(frozen=True)
class Outcome:
    """What happened, as ledger and simulator have it."""

    history: int
    past_alerts: int
    past_anomalies: int
    sent: Summary
    wrong: dict[str, int]
    """Wrong actions by the status that they ended with."""
    alert: Alert
    trip: Trip
    evidence: Anomaly
    """For which the trip was ordered."""


class _ShownLog(FileSink):
    """The event log, with each event told as it is written."""

    def __init__(self, path: Path, narrator: Narrator) -> None:
        super().__init__(path, append=True)
        self._narrator = narrator

    def write(self, agent_id: str, record: bytes) -> None:
        """Write one event and tell it."""
        super().write(agent_id, record)
        self.flush()
        self._narrator.agent(json.loads(record))


def play(stage: Stage, narrator: Narrator, seed: int) -> Outcome:
    """Play on a stage whose daemon runs; returns what happened.

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
        [Incident("hijack", now_s + _NORMAL_WORK_S, VICTIM)],
        tempo=_TEMPO,
        time_zone_s=_FRIDAY_MORNING.timestamp() - now_s,
    )
    gateway = RegistryGateway(stage.store)
    gateway.enrol(fleet.scopes(), now_s)
    wait = Wait(stage)
    narrator.brief = True
    history, acts = _learn(stage, wait, narrator, fleet.acts(), now_s)
    past_alerts, past_anomalies = follow.counts(stage.store)
    narrator.say(f"it found {past_anomalies} of them odd; the {past_alerts} alerts that gather "
                 "these are resolved now, as by somebody who looked at them")  # fmt: skip
    follow.put_behind(stage.store, time.time())
    narrator.brief = False

    narrator.chapter(f"Normal work: {_AGENTS} agents, live; a gateway asks for a grant each time")
    sent, wrong, stop = Summary(), _Wrong(), threading.Event()
    with closing(_ShownLog(stage.events, narrator)) as log, ThreadPoolExecutor(1) as pool:
        pace = Pace(speed=1.0, live=True)
        fleet_run = pool.submit(send, acts, now_s, log, gateway, pace, wrong, sent, stop.is_set)
        try:
            _incident(stage, Wait(stage, fleet_run), narrator, wrong)
        finally:
            stop.set()
    return _outcome(stage, history, (past_alerts, past_anomalies), sent, wrong)


class _Wrong:
    """Takes the simulator's truth, which the daemon never sees."""

    def __init__(self) -> None:
        self.began_s: float | None = None
        self.by_status: dict[str, int] = {}

    def write(self, agent_id: str, record: bytes) -> None:
        """Count one event of the incident."""
        del agent_id
        line = json.loads(record)
        self.by_status[line["status"]] = self.by_status.get(line["status"], 0) + 1
        if self.began_s is None:
            self.began_s = datetime.fromisoformat(line["time"]).timestamp()

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""


def _learn(
    stage: Stage, wait: Wait, narrator: Narrator, acts: Iterator[Act], now_s: float
) -> tuple[int, Iterator[Act]]:
    """Write the past, wait until it is learned; returns its length and what comes after it."""
    narrator.chapter("The past: three days of normal work are written, the daemon learns from them")
    narrator.say("(half a minute at most; what it says of those days comes in short)")
    written, last_s, began_s = 0, 0.0, time.monotonic()
    with closing(FileSink(stage.events, append=True)) as log:
        for act in acts:
            at_s = act.event.time.timestamp()
            if at_s >= now_s:
                acts = itertools.chain([act], acts)
                break
            stage.check()
            log.write(act.event.agent_id, act.event.model_dump_json(exclude_none=True).encode())
            written, last_s = written + 1, at_s
    wait.until(
        lambda: follow.learned_until(stage.store) >= last_s - 0.001 or None,
        _LEARN_WITHIN_S,
        "that the daemon learns the past",
    )
    narrator.say(f"{written:,} actions written, read and learned from in "
                 f"{time.monotonic() - began_s:.0f} s")  # fmt: skip
    return written, acts


def _incident(stage: Stage, wait: Wait, narrator: Narrator, wrong: _Wrong) -> None:
    """From the first wrong action to silence."""
    wait.until(lambda: wrong.began_s, _NORMAL_WORK_S + _NOTICE_WITHIN_S, "the hijack")
    began_s = wrong.began_s or 0.0
    narrator.chapter(f"The incident: a page that {VICTIM} reads tells it what to do")

    def trip() -> Trip | None:
        return follow.trip_of(stage.store, VICTIM)

    def contained() -> Trip | None:
        found = trip()
        return found if found is not None and found.contained_at is not None else None

    def silent() -> Trip | None:
        found = trip()
        return found if found is not None and found.silent_at is not None else None

    wait.until(
        lambda: follow.alert_since(stage.store, VICTIM, began_s),
        _NOTICE_WITHIN_S,
        f"an alert about {VICTIM}",
    )
    wait.until(trip, _NOTICE_WITHIN_S, f"a trip of {VICTIM}")
    wait.until(contained, _NOTICE_WITHIN_S, f"containment of {VICTIM}")
    narrator.chapter("The trip: its grants are revoked; it goes on trying, and is refused")
    wait.until(silent, _SILENT_WITHIN_S, f"silence of {VICTIM}")
    wait.rest(_AFTERWARDS_S)


def _outcome(
    stage: Stage, history: int, past: tuple[int, int], sent: Summary, wrong: _Wrong
) -> Outcome:
    trip = follow.trip_of(stage.store, VICTIM)
    alert = follow.alert_since(stage.store, VICTIM, wrong.began_s or 0.0)
    evidence = None if trip is None else follow.evidence_of(stage.store, trip)
    if trip is None or alert is None or evidence is None:
        raise DemoError(f"the ledger no longer has what it had; see {stage.log}")
    return Outcome(history, *past, sent, wrong.by_status, alert, trip, evidence)
