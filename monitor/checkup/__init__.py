"""A checkup: tries what the settings name, one verdict each, with what to do about it."""

from monitor.checkup.verdict import Verdict

__all__ = ["Verdict"]
