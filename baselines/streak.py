"""A streak: how odd consecutive windows are together."""

from math import log
from typing import Final

_KAPPA: Final = 0.2
_LOG_KAPPA: Final = log(_KAPPA)
"""Vovk and Wang's calibrator κp^(κ-1) turns p-values into e-values (Annals of Statistics 2021);
of small κ, as a run of unlikely windows is looked for, not of slightly large ones."""
_MOST_NATS: Final = 100.0


def lengthen(streak: float, nats: float) -> float:
    """The streak after one more window: an e-detector (Shin, Ramdas and Rinaldo 2023).

    What is a little too much for long is as odd as what is far too much for once.

    Parameters
    ----------
    streak
        Log of the e-detector before, in nats; 0 where nothing was odd.
    nats
        How surprising the window is, -ln p.
    """
    longer = streak + _LOG_KAPPA + (1 - _KAPPA) * nats
    return 0.0 if longer < 0 else min(longer, _MOST_NATS)


def lengthens_to(streak: float, wanted: float) -> float:
    """How surprising the next window has to be for the streak to get so long."""
    return (wanted - streak - _LOG_KAPPA) / (1 - _KAPPA)
