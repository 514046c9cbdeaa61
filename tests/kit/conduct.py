"""An agent at work for tests of what looks across its events: judged, then learned."""

from collections.abc import Sequence
from typing import Any, Protocol

from baselines.effect import EffectMap
from baselines.exposure import Exposure
from baselines.profile import Observation, Profile, Rules
from detectors.finding import Finding
from tests.kit.events import START_S, event

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


class Judge(Protocol):
    """A detector."""

    def judge(self, seen: Observation) -> Sequence[Finding]:
        """What is odd about the event."""
        ...


class Agent:
    """A profile and one detector; each act is judged, then learned."""

    def __init__(self, detector: Judge | None = None, exposure: Exposure | None = None) -> None:
        self.profile = Profile("payroll-1", Rules(exposure=exposure or Exposure()))
        self.detector = detector
        self._number = 0

    def act(self, after_s: float, **fields: Any) -> list[Finding]:
        """One event, so long after the start; what the detector finds in it."""
        self._number += 1
        seen = self.profile.observe(event(self._number, START_S + after_s, **fields), EffectMap())
        found = list(self.detector.judge(seen)) if self.detector else []
        seen.scores.setdefault("run", 0.0)  # as if its run had been judged, and was ordinary
        self.profile.learn(seen, [finding.hold for finding in found if finding.hold])
        return found
