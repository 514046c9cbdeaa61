"""Whether the two lower floors run as C (`make compiled`) or as they are written."""

import inspect

from baselines.profile import Profile


def is_compiled() -> bool:
    """Whether they are compiled here."""
    return not inspect.isfunction(Profile.learn)
