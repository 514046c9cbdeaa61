"""The scores of a replay: every judgement as a line of JSON, for people who tune.

A family of scores (`run`, `level`, `rhythm`, `silence`) has a line wherever it was judged, with the
p-value that the agent's past gave *before* the event was learned. A step that its run had already
is not judged again; a level is judged by a compare, and has a line where it passed its limit. A
detector without a score, such as a declared rule, has one where it fired.
"""

import json
import math
from collections.abc import Sequence
from typing import Any, Final, TextIO

from baselines.profile import Observation
from detectors.finding import Anomaly, Finding

_FAMILY: Final = {
    "rate_spike": "level",
    "volume_spike": "level",
    "failure_spike": "level",
    "denial_spike": "level",
    "override_spike": "level",
    "rhythm": "rhythm",
    "silence": "silence",
}
"""By detector; any other that is not declared judges runs."""


class Scores:
    """Writes judgements; `see` is what a shard calls, `miss` takes what no event brings up.

    Parameters
    ----------
    file
        Open for text; one object a line: `event_id`, `agent_id`, `time`, `run`, `judge` (a family,
        or a detector), `score` in nats, `p_value`, `calibrated`, `alarmed`. Null stands for what a
        declared rule has not, and for the p-value of a score that is not calibrated.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def see(self, seen: Observation, findings: Sequence[Finding]) -> None:
        """Write what was judged of one event."""
        for family in sorted(seen.scores):
            score = seen.scores[family]
            tail = seen.profile.tails[family]
            mine = [finding for finding in findings if _judge(finding) == family]
            p_value = tail.p_value(score) if tail.calibrated else None
            if p_value is None and mine:
                p_value = mine[0].p_value  # its cohort's
            self._write(seen, family, score, p_value, tail.calibrated, _alarmed(mine))
        for finding in findings:
            if _judge(finding) not in seen.scores:
                self._write_finding(seen, finding)

    def miss(self, anomaly: Anomaly) -> None:
        """Write an anomaly that the passing of time brought up: an agent that is silent."""
        if anomaly.detector != "silence":
            return
        self._line(
            {
                "event_id": anomaly.event_id,
                "agent_id": anomaly.agent_id,
                "time": anomaly.time.isoformat(),
                "run": anomaly.trace_id,
                "judge": "silence",
                "score": _nats(anomaly.p_value),
                "p_value": anomaly.p_value,
                "calibrated": anomaly.calibration == "calibrated",
                "alarmed": not anomaly.shadow,
            }
        )

    def _write_finding(self, seen: Observation, finding: Finding) -> None:
        declared = finding.calibration == "declared"
        calibrated = None if declared else finding.calibration == "calibrated"
        p_value = finding.p_value
        judge = finding.detector
        self._write(seen, judge, _nats(p_value), p_value, calibrated, not finding.shadow)

    def _write(
        self,
        seen: Observation,
        judge: str,
        score: float | None,
        p_value: float | None,
        calibrated: bool | None,
        alarmed: bool,
    ) -> None:
        self._line(
            {
                "event_id": seen.event.event_id,
                "agent_id": seen.event.agent_id,
                "time": seen.event.time.isoformat(),
                "run": seen.run,
                "judge": judge,
                "score": score,
                "p_value": p_value,
                "calibrated": calibrated,
                "alarmed": alarmed,
            }
        )

    def _line(self, row: dict[str, Any]) -> None:
        for key in ("score", "p_value"):
            if row[key] is not None and not math.isfinite(row[key]):
                row[key] = None
        self._file.write(json.dumps(row) + "\n")


def _judge(finding: Finding) -> str:
    if finding.calibration == "declared":
        return finding.detector
    return _FAMILY.get(finding.detector, "run")


def _alarmed(findings: Sequence[Finding]) -> bool:
    return any(not finding.shadow for finding in findings)


def _nats(p_value: float | None) -> float | None:
    return -math.log(p_value) if p_value else None
