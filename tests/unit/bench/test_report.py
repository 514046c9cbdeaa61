import pytest

from tests.bench.figures.power import _smallest
from tests.bench.figures.report import rewrite

README = """# detectors

<!-- figures:speed -->
old
<!-- /figures:speed -->

<!-- figures:streams -->
kept
<!-- /figures:streams -->
"""
SPEED = {"us_per_event": {"detectors": 9.5, "bare_loop": 5.25}, "ratio": 1.81, "rounds": 7}


def test_a_part_is_written_anew_with_its_date_and_command_and_others_are_kept() -> None:
    text = rewrite(README, {"speed": SPEED}, "2026-11-21", "make bench-detection")
    assert "old" not in text
    assert "9.5 µs" in text
    assert "2026-11-21 with `make bench-detection`" in text
    assert text.endswith(README[README.index("<!-- figures:streams") :])
    assert rewrite(text, {"speed": SPEED}, "2026-11-21", "make bench-detection") == text


def test_trips_tell_what_was_sent_and_each_stretch() -> None:
    ms = {"read to registry revoked": {"p50": 12.3, "p99": 1234.5, "worst": 2000.0}}
    trips = {"trips": 7, "ms": ms}
    steady = {"sent_per_s": 998, **trips}
    turn = {"worst_by_the_clock": 71.5, "worst_of_cpu": 42.0}
    during = {"profiles": 100_000, "checkpoint_s": 9.5, "turn_ms": turn, "automatic": trips}
    runs = {"steady": steady, "checkpoint": during, "kills": {**during, "by_hand": trips}}
    figures = {"trips": {"events_per_s": 1000.0, **runs}}
    begin, end = "<!-- figures:trips -->\n", "<!-- /figures:trips -->"
    text = rewrite(f"{begin}{end}", figures, "2026-11-21", "make bench-trips")
    assert "998 events/s (wanted: 1,000)" in " ".join(text.split())
    assert "| steady | read to registry revoked | 12 | 1,234 | 2,000 | 7 |" in text
    assert "took 71.5 ms at most then, 42 ms of CPU time" in " ".join(text.split())
    assert text.count("read to registry revoked") == 4


def test_a_part_that_was_left_out_keeps_its_old_figures() -> None:
    assert rewrite(README, {"streams": {"left_out": "missing"}}, "today", "make") == README


def test_a_part_without_a_place_is_an_error() -> None:
    with pytest.raises(ValueError, match="no place for the figures of power"):
        rewrite(README, {"power": {"probability": 0.95, "kinds": [_ROW]}}, "today", "make")


_ROW = {"kind": "k", "budget": 1.0, "change": "rate", "smallest": {"an hour": 2.0}, "trials": 48}


def test_power_begins_where_every_greater_change_is_caught_too() -> None:
    shares = {1.5: {"a day": 0.96}, 2.0: {"a day": 0.5}, 3.0: {"a day": 0.95}, 5.0: {"a day": 1.0}}
    assert _smallest(shares, "a day") == 3.0
    assert _smallest({1.5: {"a day": 0.9}}, "a day") is None
