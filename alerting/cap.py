"""The fleet's cap: how many alerts a week people are told of that only learned findings opened.

An alert beyond the cap is kept and shown, but not sent, until a critical or a declared finding
joins it. Declared and critical findings are always told, and trips are not its business. An alert
that joins an incident that people know is no message of its own, and costs nothing: so a storm
costs as much as one alert.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from alerting.alert import Alert, Charge
from alerting.policy import Folded
from detectors.finding import Anomaly, Severity

WEEK_S: Final = 7 * 86_400.0
"""The cap is over so long a time back from the alert's opening."""


def capped(
    folded: Folded,
    anomaly: Anomaly,
    per_week: float | None,
    spent: Callable[[], int],
    *,
    joins: bool = False,
) -> Folded:
    """What is told of a folded anomaly under the cap.

    Parameters
    ----------
    folded, anomaly
        The alert with the anomaly in it, as `fold` gave it.
    per_week
        The cap; None: there is none.
    spent
        How many alerts of the fleet were charged to the cap in the week up to now; asked only
        where an alert that would be charged was opened.
    joins
        Whether its incident is one that people were told of.
    """
    passes = anomaly.calibration == "declared" or anomaly.severity >= Severity.CRITICAL
    alert = folded.alert
    if alert.is_hidden:
        return folded
    if alert.charge == "capped":
        if passes:
            return replace(folded, alert=_charge(alert, "free"), news="opened")
        return replace(folded, news=None)
    if folded.news == "opened" and not (passes or joins or alert.charge == "charged"):
        if per_week is None or spent() + 1 <= per_week:
            return replace(folded, alert=_charge(alert, "charged"))
        return replace(folded, alert=_charge(alert, "capped"), news=None)
    return folded


def _charge(alert: Alert, charge: Charge) -> Alert:
    return alert.model_copy(update={"charge": charge})
