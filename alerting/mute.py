"""A mute: what a person does not want to be told of, until when, and why. Pure.

A breach of a boundary, and what a trip is about, is never muted; nor does a mute keep a rule from
cutting an agent off.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from detectors.finding import Anomaly


@dataclass(frozen=True, slots=True)
class Matcher:
    """Which anomalies a mute is about; each condition that is given must hold.

    Parameters
    ----------
    agent, role, detector, target
        Shell patterns; None does not narrow.
    tools_and_targets
        Exactly these, and no others, as pairs of tool and target; empty does not narrow.
    detectors
        Exactly these; empty does not narrow.
    """

    agent: str | None = None
    role: str | None = None
    detector: str | None = None
    target: str | None = None
    tools_and_targets: tuple[tuple[str | None, str | None], ...] = ()
    detectors: tuple[str, ...] = ()

    def matches(self, anomaly: Anomaly) -> bool:
        """Whether the anomaly is muted by it."""
        return (
            not anomaly.is_breach
            and _fits(self.agent, anomaly.agent_id)
            and _fits(self.role, anomaly.role)
            and _fits(self.detector, anomaly.detector)
            and _fits(self.target, anomaly.target)
            and (not self.detectors or anomaly.detector in self.detectors)
            and (
                not self.tools_and_targets
                or (anomaly.tool, anomaly.target) in self.tools_and_targets
            )
        )

    @property
    def words(self) -> str:
        """What it is about, for people."""
        said = {
            "agent": self.agent,
            "role": self.role,
            "detector": self.detector or ", ".join(self.detectors) or None,
            "target": self.target,
        }
        parts = [f"{name} {value}" for name, value in said.items() if value is not None]
        if self.tools_and_targets:
            pairs = (" on ".join(p for p in pair if p) for pair in self.tools_and_targets)
            parts.append(", ".join(pairs))
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class Mute:
    """One mute that is on."""

    mute_id: str
    matcher: Matcher


def muting(anomaly: Anomaly, mutes: Sequence[Mute]) -> str | None:
    """The first mute that is about the anomaly, if any."""
    for mute in mutes:
        if mute.matcher.matches(anomaly):
            return mute.mute_id
    return None


def _fits(pattern: str | None, text: str | None) -> bool:
    return pattern is None or (text is not None and fnmatchcase(text, pattern))
