"""A verdict: what was tried, how it stands, and what to do."""

from typing import Literal, NamedTuple

State = Literal["ok", "warning", "failed"]


class Verdict(NamedTuple):
    """What one check found.

    Attributes
    ----------
    about
        What was tried, such as `topic agent-actions`.
    text
        How it stands.
    advice
        What to do; empty where all is well.
    """

    about: str
    state: State
    text: str
    advice: str = ""


def ok(about: str, text: str) -> Verdict:
    """All is well."""
    return Verdict(about, "ok", text)


def warning(about: str, text: str, advice: str) -> Verdict:
    """It works; somebody should look at it."""
    return Verdict(about, "warning", text, advice)


def failed(about: str, text: str, advice: str) -> Verdict:
    """It does not work."""
    return Verdict(about, "failed", text, advice)
