"""Numbers and names as people say them, for the sentences of findings."""

from typing import Final

_MAX_NAME_CHARS: Final = 120


def amount(value: float) -> str:
    """A quantity to three significant digits: 0.25, 1.2 k, 34 M.

    Examples
    --------
    >>> amount(3), amount(0.125), amount(1234), amount(25_600_000)
    ('3', '0.125', '1.23 k', '25.6 M')
    """
    for size, suffix in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{suffix}"
    return f"{value:.3g}"


def span(window_s: int) -> str:
    """A window's length in words.

    Examples
    --------
    >>> span(60), span(3600)
    ('minute', 'hour')
    """
    return {60: "minute", 3600: "hour"}.get(window_s, f"{window_s} s")


def name(text: str | None) -> str:
    """A name from an event, quoted and cut; still hostile, receivers escape it."""
    text = text or ""
    return f"“{text[:_MAX_NAME_CHARS]}…”" if len(text) > _MAX_NAME_CHARS else f"“{text}”"
