"""Replay: the same detection over history, from empty profiles, without side effects.

Event time stands for the clock. For the same number of partitions the anomaly ids are those of a
live run over the same events.
"""

import gzip
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from alerting.alert import Alert
from alerting.cap import WEEK_S, capped
from alerting.gathering import Gathering
from alerting.incident import began
from alerting.policy import fold
from alerting.trip_policy import Decision, Lately, decide_trip
from baselines.event import MAX_MESSAGE_BYTES, EventError
from baselines.profile import Observation
from detectors.finding import Anomaly, Finding
from detectors.shard import Policy, Shard
from monitor.errors import TripswitchError
from monitor.ledger.response import Response
from monitor.mapping import Parse, plain
from monitor.sources.partition import partition_for

_HOUR: Final = timedelta(hours=1)
_WEEK: Final = timedelta(seconds=WEEK_S)


@dataclass(slots=True)
class Summary:
    """What a replay counted; the figures of `replay --json`."""

    events: int = 0
    rejected: int = 0
    repeats: int = 0
    agents: int = 0
    anomalies: int = 0
    in_shadow: int = 0
    alerts: int = 0
    incidents: int = 0
    alerts_capped: int = 0
    would_be_trips: int = 0


@dataclass(slots=True)
class Replay:
    """One pass over a log.

    Parameters
    ----------
    policy, response
        What is odd, and what would be done about it.
    partitions
        Over how many shards agents are spread, as Kafka's partitioner would.
    on_anomaly
        Called with each anomaly, in order.
    on_rejected
        Called with line number (from 0), bytes and reason of each line that is no event.
    on_judged
        Called with each observation and its findings before it is learned, if given.
    on_decision
        Called with what a rule makes of an anomaly, and with the alert that this joined.
    parse
        Makes events of lines.
    """

    policy: Policy
    response: Response
    partitions: int = 1
    on_anomaly: Callable[[Anomaly], None] = lambda _: None
    on_rejected: Callable[[int, bytes, str], None] = lambda _line, _raw, _why: None
    on_judged: Callable[[Observation, Sequence[Finding]], None] | None = None
    on_decision: Callable[[Decision, Alert], None] = lambda _decision, _alert: None
    parse: Parse = plain
    summary: Summary = field(default_factory=Summary)
    _gathering: Gathering = field(init=False)
    _alerts: dict[str, Alert] = field(default_factory=dict)
    _charged: list[datetime] = field(default_factory=list)
    _tripped: dict[str, str] = field(default_factory=dict)
    _trip_times: list[datetime] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        response = self.response
        self._gathering = Gathering(
            response.together_s, response.storm_agents, quiet_s=response.quiet_s
        )

    def run(self, lines: Iterator[bytes], source: str) -> Summary:
        """Feed every line; returns the summary.

        Parameters
        ----------
        lines
            One event each, as `read_lines` gives them.
        source
            Name of the log, for the evidence.
        """
        shards = [Shard(source, number, self.policy) for number in range(self.partitions)]
        for shard in shards:
            shard.observer = self.on_judged
        for number, line in enumerate(lines):
            if not line.strip():
                continue
            try:
                event = self.parse(line)
            except EventError as error:
                self.summary.rejected += 1
                self.on_rejected(number, line, str(error))
                continue
            if event is None:
                continue
            self.summary.events += 1
            partition = partition_for(event.agent_id, self.partitions) if shards[1:] else 0
            for anomaly in shards[partition].feed(event, line, number):
                self._take(anomaly)
        self.summary.agents = sum(len(shard.profiles) for shard in shards)
        self.summary.repeats = sum(shard.tally.repeats for shard in shards)
        return self.summary

    def _take(self, anomaly: Anomaly) -> None:
        if anomaly.anomaly_id in self._seen:
            return
        self._seen.add(anomaly.anomaly_id)
        self.on_anomaly(anomaly)
        if anomaly.shadow:
            self.summary.in_shadow += 1
            return
        self.summary.anomalies += 1
        agent_id, now = anomaly.agent_id, anomaly.time
        folded = fold(self._alerts.get(agent_id), anomaly, now, self.response.quiet_s)
        opened = folded.news == "opened"
        gathering = self._gathering
        folded = gathering.place(folded, anomaly, now)
        folded = capped(
            folded,
            anomaly,
            self.response.alerts_per_week,
            lambda: self._spent(now),
            joins=gathering.is_told(folded.alert),
        )
        gathering.take(folded, anomaly)
        self.summary.incidents += opened and began(folded.alert)
        self._alerts[agent_id] = folded.alert
        self.summary.alerts += opened
        if opened:
            self.summary.alerts_capped += folded.alert.charge == "capped"
        elif folded.news == "opened":
            self.summary.alerts_capped -= 1  # it is sent after all
        if folded.news == "opened" and folded.alert.charge == "charged":
            self._charged.append(now)
        self._consider_trip(anomaly, folded.alert, now)

    def _spent(self, now: datetime) -> int:
        return sum(at > now - _WEEK for at in self._charged)

    def _consider_trip(self, anomaly: Anomaly, alert: Alert, now: datetime) -> None:
        """Count a trip once per alert; after it the agent would have been cut off."""
        if self._tripped.get(anomaly.agent_id) == alert.alert_id:
            return
        lately = sum(now - _HOUR < at <= now for at in self._trip_times)
        decision = decide_trip(
            self.response.rules, self.response.guards, anomaly, alert, now, Lately(lately)
        )
        if decision is None:
            return
        self.on_decision(decision, alert)
        if decision.outcome != "held":
            self._tripped[anomaly.agent_id] = alert.alert_id
            self._trip_times.append(now)
            self.summary.would_be_trips += 1


def read_lines(path: Path, on_progress: Callable[[int], None] = lambda _: None) -> Iterator[bytes]:
    """The lines of a log, `.gz` or plain, without their line ends.

    Of a line that no event may have the length of, only so much is kept that it is refused.

    Parameters
    ----------
    path
        The file.
    on_progress
        Called now and then with how many bytes of the file were read.

    Raises
    ------
    TripswitchError
        If the file cannot be read, or is no gzip in spite of its name.
    """
    limit = MAX_MESSAGE_BYTES + 2
    try:
        with path.open("rb") as file:
            unpacked = gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file
            stream = io.BufferedReader(unpacked, 1 << 18)
            number = 0
            while line := stream.readline(limit):
                if len(line) == limit and not line.endswith(b"\n"):
                    while (rest := stream.readline(limit)) and not rest.endswith(b"\n"):
                        pass
                yield line.rstrip(b"\r\n")
                number += 1
                if number % 2000 == 0:
                    on_progress(file.tell())
    except (OSError, EOFError) as error:
        raise TripswitchError(
            f"{path}: {getattr(error, 'strerror', None) or error}; name a log of JSON lines, plain "
            "or .gz"
        ) from None
