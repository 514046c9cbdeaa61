from typing import Any

import pytest

from monitor.watch import Watch
from tests.kit.events import START_S, event

SKEW_S = 2.0
CONTAINED_S = START_S + 10


def watch(**fields: Any) -> Watch:
    values: dict[str, Any] = {
        "trip_id": "t",
        "agent_id": "payroll-1",
        "partition": 0,
        "place": "",
        "homes": frozenset({""}),
        "ordered_at_s": START_S,
        "held_at_s": CONTAINED_S,
        "silent": False,
        "watched_to": 0,
        "end_offset": 100,
    }
    return Watch(**{**values, **fields})


@pytest.mark.parametrize(
    ("acted_s", "log_s", "status", "effective"),
    [
        (CONTAINED_S + 3, CONTAINED_S + 3, "ok", 1),
        (CONTAINED_S + 1, CONTAINED_S + 3, "ok", 0),  # acted within the allowed skew
        (CONTAINED_S + 3, CONTAINED_S + 1, "ok", 0),  # a producer whose clock is ahead
        (CONTAINED_S - 60, CONTAINED_S + 60, "ok", 0),  # acted before, reported late
        (CONTAINED_S + 3, CONTAINED_S + 3, "denied", 0),
        (CONTAINED_S + 3, CONTAINED_S + 3, "error", 0),
    ],
)
def test_effective_is_what_succeeded_after_containment(
    acted_s: float, log_s: float, status: str, effective: int
) -> None:
    one = watch()
    one.see(event(1, acted_s, status=status), 5, log_s, SKEW_S)
    assert len(one.effective) == effective
    assert one.refused == (status == "denied")


def test_before_containment_actions_are_early_and_refusals_count_from_the_order() -> None:
    one = watch(held_at_s=None)
    one.see(event(1, START_S + 5), 5, START_S + 5, SKEW_S)
    one.see(event(2, START_S - 5, status="denied"), 6, START_S - 5, SKEW_S)
    one.see(event(3, START_S + 5, status="denied"), 7, START_S + 5, SKEW_S)
    one.see(event(4, START_S - 5), 8, START_S - 5, SKEW_S)
    assert (one.effective, one.early, one.refused) == ([], [START_S + 5], 1)


def test_within_the_skew_after_containment_an_action_is_early() -> None:
    one = watch()
    one.see(event(1, CONTAINED_S + 1), 5, CONTAINED_S + 1, SKEW_S)
    assert (one.effective, one.early) == ([], [CONTAINED_S + 1])


def test_after_a_restart_nothing_is_counted_twice() -> None:
    one = watch(watched_to=6)
    one.see(event(1, CONTAINED_S + 5), 5, CONTAINED_S + 5, SKEW_S)
    assert not one.restless
    one.see(event(2, CONTAINED_S + 5), 6, CONTAINED_S + 5, SKEW_S)
    assert (len(one.effective), one.watched_to) == (1, 7)


@pytest.mark.parametrize(
    ("next_offset", "watermark_s", "fields", "silent"),
    [
        (100, CONTAINED_S + SKEW_S + 30, {}, True),
        (99, CONTAINED_S + SKEW_S + 30, {}, False),  # not yet read to where it ended
        (100, CONTAINED_S + SKEW_S + 29, {}, False),  # no record has come since
        (100, CONTAINED_S + 90, {"held_at_s": None}, False),
        (100, CONTAINED_S + 90, {"end_offset": None}, False),
        (100, CONTAINED_S + 90, {"last_effective_log_s": CONTAINED_S + 70}, False),
    ],
)
def test_silence_needs_reading_to_the_end_and_time_that_other_records_show(
    next_offset: int, watermark_s: float, fields: dict[str, Any], silent: bool
) -> None:
    assert watch(**fields).is_silent(next_offset, watermark_s, 30.0, SKEW_S) is silent
