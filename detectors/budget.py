"""The budget of false alarms, split over the detectors and over how often each is asked."""

from dataclasses import asdict, dataclass
from typing import Final

from baselines.rules import Learning, Rules
from baselines.window import METRICS, WINDOWS_S

WEEK_S: Final = 7 * 86_400.0

SHARES: Final = {"run": 0.6, "level": 0.12, "rhythm": 0.05, "silence": 0.05}
"""Parts of the budget by family of scores. Most goes to what finds most: tails are nearly
exponential, so a small part costs a level little of its power. The rest is kept back: limits are
estimates, and declared rules alarm, too."""

_MAX_ALPHA: Final = 0.05


@dataclass(frozen=True, slots=True)
class Budget:
    """How many false alarms an agent may raise in a week, and what follows from it.

    Parameters
    ----------
    alerts_per_agent_per_week
        What people can bear.
    """

    alerts_per_agent_per_week: float = 1.0

    def rules(self, learning: Learning) -> Rules:
        """The learning rules whose limits keep this budget.

        A level is asked once per window, so at most `WEEK_S / length` times a week.
        """
        each = self._share("level") / (len(METRICS) * len(WINDOWS_S))
        return Rules(
            **asdict(learning),
            weekly={family: self._share(family) for family in SHARES},
            window_alpha={s: min(_MAX_ALPHA, each * s / WEEK_S) for s in WINDOWS_S},
        )

    def _share(self, name: str) -> float:
        return SHARES[name] * self.alerts_per_agent_per_week
