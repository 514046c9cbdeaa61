"""A comparison: what two settings would each have raised and tripped over the same log."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from alerting.alert import Alert
from alerting.trip_policy import Decision
from baselines.profile import Observation
from detectors.finding import Anomaly, Finding
from detectors.shard import Policy
from monitor.ledger.response import Response
from monitor.mapping import Parse, plain
from monitor.replay import Replay, Summary

MAX_LISTED: Final = 50
"""Of the anomalies that one of the two has alone, so many are listed."""
MAX_AGENTS: Final = 20
"""So many agents are listed, those with the most anomalies."""
_MAX_TEXT_CHARS: Final = 300


@dataclass(slots=True)
class Outcome:
    """What one setting would have done.

    Attributes
    ----------
    anomalies
        By id, those in shadow left out.
    runs
        Every run that was seen: agent, and `trace_id` or the agent's hour.
    runs_alarmed
        Those with at least one anomaly.
    decisions
        What rules made of alerts: alert, rule, and `trip`, `ask`, `would_trip` or `held`.
    """

    summary: Summary = field(default_factory=Summary)
    anomalies: dict[str, Anomaly] = field(default_factory=dict)
    runs: set[tuple[str, str]] = field(default_factory=set)
    runs_alarmed: set[tuple[str, str]] = field(default_factory=set)
    decisions: set[tuple[str, str, str]] = field(default_factory=set)

    @classmethod
    def of(
        cls,
        policy: Policy,
        response: Response,
        partitions: int,
        lines: Iterator[bytes],
        source: str,
        parse: Parse = plain,
    ) -> "Outcome":
        """Replay the log under one setting."""
        outcome = cls()
        run = Replay(policy, response, partitions, parse=parse)
        run.on_judged, run.on_decision = outcome._judged, outcome._decided
        run.on_anomaly = outcome._raised
        outcome.summary = run.run(lines, source)
        return outcome

    @property
    def share_of_runs(self) -> float:
        """Which part of the runs had an anomaly."""
        return len(self.runs_alarmed) / len(self.runs) if self.runs else 0.0

    def _judged(self, seen: Observation, findings: Sequence[Finding]) -> None:
        run = (seen.event.agent_id, seen.run)
        self.runs.add(run)
        if any(not finding.shadow for finding in findings):
            self.runs_alarmed.add(run)

    def _raised(self, anomaly: Anomaly) -> None:
        if not anomaly.shadow:
            self.anomalies[anomaly.anomaly_id] = anomaly

    def _decided(self, decision: Decision, alert: Alert) -> None:
        self.decisions.add((alert.alert_id, decision.rule.name, decision.outcome))

    def document(self, config: str) -> dict[str, Any]:
        """Its figures as JSON."""
        found = self.anomalies.values()
        by_detector: dict[str, Counter[str]] = {}
        for anomaly in sorted(found, key=lambda one: (one.detector, one.severity)):
            counts = by_detector.setdefault(anomaly.detector, Counter())
            counts[anomaly.severity.label] += 1
        by_severity = Counter(one.severity.label for one in sorted(found, key=lambda o: o.severity))
        agents = Counter(anomaly.agent_id for anomaly in found)
        ranked = sorted(agents.items(), key=lambda item: (-item[1], item[0]))
        outcomes = Counter(outcome for _, _, outcome in self.decisions)
        return {
            "config": config,
            "anomalies": len(found),
            "in_shadow": self.summary.in_shadow,
            "by_detector": by_detector,
            "by_severity": by_severity,
            "by_agent": dict(ranked[:MAX_AGENTS]),
            "agents_alarmed": len(agents),
            "runs_alarmed": len(self.runs_alarmed),
            "share_of_runs": round(self.share_of_runs, 6),
            "alerts": self.summary.alerts,
            "alerts_capped": self.summary.alerts_capped,
            "trips": outcomes["trip"],
            "would_ask": outcomes["ask"],
            "would_trip": outcomes["would_trip"],
            "held": outcomes["held"],
        }


def compared(a: Outcome, b: Outcome, names: tuple[str, str]) -> dict[str, Any]:
    """Both side by side, and what only one of them has; the JSON of `replay --compare`."""
    log = a.summary
    return {
        "events": log.events,
        "rejected": log.rejected,
        "repeats": log.repeats,
        "agents": log.agents,
        "runs": len(a.runs),
        "a": a.document(names[0]),
        "b": b.document(names[1]),
        "in_both": len(a.anomalies.keys() & b.anomalies.keys()),
        "only_in_a": _alone(a, b),
        "only_in_b": _alone(b, a),
    }


def _alone(mine: Outcome, other: Outcome) -> dict[str, Any]:
    alone = [one for key, one in mine.anomalies.items() if key not in other.anomalies]
    return {
        "anomalies": len(alone),
        "runs_alarmed": len(mine.runs_alarmed - other.runs_alarmed),
        "first": [
            {
                "anomaly_id": anomaly.anomaly_id,
                "time": anomaly.time.isoformat(),
                "agent_id": anomaly.agent_id,
                "trace_id": anomaly.trace_id,
                "detector": anomaly.detector,
                "severity": anomaly.severity.label,
                "text": anomaly.text[:_MAX_TEXT_CHARS],
            }
            for anomaly in alone[:MAX_LISTED]
        ],
    }
