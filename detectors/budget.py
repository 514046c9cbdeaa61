"""The budget of false alarms, split over the detectors and over how often each is asked."""

from dataclasses import dataclass
from typing import Final

from baselines.profile import Profile, Rules
from baselines.window import METRICS, WINDOWS_S

WEEK_S: Final = 7 * 86_400.0
_DAY_S: Final = 86_400.0

SHARES: Final = {"run": 0.7, "level": 0.2, "rhythm": 0.05, "silence": 0.05}
"""Parts of the budget by family of scores; together 1."""

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

    def rules(self, promote_runs: int, promote_after_s: float) -> Rules:
        """The learning rules whose limits keep this budget.

        A level is asked once per window, so at most `WEEK_S / length` times a week.
        """
        each = self._share("level") / (len(METRICS) * len(WINDOWS_S))
        return Rules(
            window_alpha={s: min(_MAX_ALPHA, each * s / WEEK_S) for s in WINDOWS_S},
            promote_runs=promote_runs,
            promote_after_s=promote_after_s,
            weekly={family: self._share(family) for family in SHARES},
        )

    def novelty_alpha(self, profile: Profile, uses: int) -> float:
        """Largest p-value at which a new term is alarming, by how often the agent is asked.

        Parameters
        ----------
        profile
            The agent's; says for how long it has been watched.
        uses
            How often the vocabulary was asked in that time.
        """
        watched_s = max(_DAY_S, profile.last_seen_s - profile.first_seen_s)
        asked_per_week = max(1.0, uses * WEEK_S / watched_s)
        return min(_MAX_ALPHA, self._share("run") / 2 / asked_per_week)

    def _share(self, name: str) -> float:
        return SHARES[name] * self.alerts_per_agent_per_week
