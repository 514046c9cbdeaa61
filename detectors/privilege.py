"""Privilege growth: elevated grants that are not given back, and more of them than ever."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from baselines.hold import Hold
from baselines.privileges import RELEASES, REQUESTS, Grant, scope_of
from detectors.digest import day
from detectors.explain import amount, name
from detectors.finding import Finding, Severity

if TYPE_CHECKING:  # as in `detectors.drift`
    from baselines.observation import Observation

GIVE_BACK_AFTER_S: Final = 86_400.0
"""A task that needs elevated rights for more than a day and a night is worth a question."""
MORE_THAN_EVER: Final = 3
_HOUR_S: Final = 3600.0
_MAX_TOLD: Final = 5


class Privilege:
    """Alarms once on a grant that is held too long, and on too many held at once.

    Parameters
    ----------
    give_back_after_s
        For how long a grant may be held, in seconds; longer, if this agent usually does.
    more_than_ever
        By how many scopes the number held at once may exceed what it ever was.
    """

    name = "privilege"

    def __init__(
        self,
        give_back_after_s: float = GIVE_BACK_AFTER_S,
        more_than_ever: int = MORE_THAN_EVER,
    ) -> None:
        self._give_back_after_s = give_back_after_s
        self._more_than_ever = more_than_ever

    def judge(self, seen: "Observation") -> Sequence[Finding]:
        """The findings of one event, nearly always none."""
        privileges, event = seen.profile.conduct.privileges, seen.event
        held_s = seen.time_s - privileges.oldest_s
        if held_s <= self._give_back_after_s and event.action not in REQUESTS:
            return ()
        given_back = scope_of(event) if event.action in RELEASES else None
        found = [
            self._overdue(seen, scope, grant)
            for scope, grant in privileges.overdue(seen.time_s, self._give_back_after_s)
            if scope != given_back
        ]
        scopes = privileges.would_hold(event)
        if scopes > privileges.most + self._more_than_ever:
            found.append(self._many(seen, scopes))
        return found

    def _overdue(self, seen: "Observation", scope: str, grant: Grant) -> Finding:
        usual_s = seen.profile.conduct.privileges.usual_s
        held_h, usual_h = (seen.time_s - grant.since_s) / _HOUR_S, usual_s / _HOUR_S
        before = f"it gave others back within {amount(usual_h / 2)} hours"
        return Finding(
            detector=self.name,
            subject=f"held\n{scope}",
            episode=f"grant:{grant.since_s:.0f}",
            observed=held_h,
            expected=usual_h / 2,
            unit="hours for which a grant was held",
            threshold=max(self._give_back_after_s, usual_s) / _HOUR_S,
            p_value=None,
            calibration="declared",
            severity=Severity.MEDIUM,
            text=(
                f"was granted {name(scope)} on {day(grant.since_s)} and has not given it back "
                f"in {amount(held_h)} hours"
            ),
            hold=Hold("grant", term=scope),
            evidence=(before if usual_s else "it never gave a grant back so far",),
        )

    def _many(self, seen: "Observation", scopes: int) -> Finding:
        privileges = seen.profile.conduct.privileges
        return Finding(
            detector=self.name,
            subject="scopes",
            episode=f"scopes:{scopes}/{seen.run}",
            observed=float(scopes),
            expected=float(privileges.most),
            unit="elevated scopes held at once",
            threshold=float(privileges.most + self._more_than_ever),
            p_value=None,
            calibration="declared",
            severity=Severity.MEDIUM,
            text=(
                f"was granted {name(scope_of(seen.event))} on top of {scopes - 1} other scopes; "
                f"it never held more than {privileges.most} and gave some back"
            ),
            hold=Hold("grants", value=float(scopes)),
            evidence=tuple(
                f"holds {name(scope)} since {day(grant.since_s)}"
                for scope, grant in list(privileges.held.items())[-_MAX_TOLD:]
            ),
        )
