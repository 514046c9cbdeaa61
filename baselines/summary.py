"""A summary: what a list of agents shows of a profile, without the profile itself."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from baselines.tail import FITTED, SKIPPED

EPISODES_TO_LEARN: Final = SKIPPED + FITTED
"""After so many episodes of a family its limit is the agent's own."""


class Learned(NamedTuple):
    """How far one family of scores is calibrated.

    Attributes
    ----------
    episodes
        How many were taken in.
    since_s
        When it became calibrated, in seconds since the epoch; None while it learns.
    """

    episodes: int
    since_s: float | None


class Summary(NamedTuple):
    """Who an agent is, when and how much it acted, and how well it is known.

    Attributes
    ----------
    first_seen_s, last_seen_s
        Event time, in seconds since the epoch.
    learned
        By family of scores.
    """

    agent_id: str
    role: str | None
    agent_version: str | None
    first_seen_s: float
    last_seen_s: float
    events: int
    learned: Mapping[str, Learned]
