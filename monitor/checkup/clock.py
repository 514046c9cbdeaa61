"""Our clock beside another one."""

from typing import Final

from monitor.checkup.verdict import Verdict, ok, warning

MAX_SKEW_S: Final = 2.0


def clock(ahead_s: float, whose: str) -> Verdict:
    """Whether our clock and another one agree."""
    if abs(ahead_s) > MAX_SKEW_S:
        return warning(
            "clock",
            f"this host's differs from {whose} by {-ahead_s:+.1f} s",
            "set both by NTP: leases, containment and silence are told by clocks",
        )
    return ok("clock", f"this host's agrees with {whose}")
