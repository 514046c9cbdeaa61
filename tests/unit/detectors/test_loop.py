from typing import Any

from detectors.budget import Budget
from detectors.finding import Anomaly
from detectors.loop import MIN_TURNS
from detectors.policy import Policy
from detectors.shard import Shard
from tests.kit.events import START_S, event, raw_event


def feed(one: Shard, number: int, time_s: float, **fields: Any) -> list[Anomaly]:
    raw = raw_event(number, time_s, **fields)
    return list(one.feed(event(number, time_s, **fields), raw, number))


def test_the_fifth_identical_call_in_a_run_alarms_once() -> None:
    one = Shard("log", 0, Policy.of(Budget()))
    found = [feed(one, n, START_S + n, trace_id="r", bytes_out=3) for n in range(30)]
    assert [len(f) for f in found] == [0, 0, 0, 0, 1] + [0] * 25
    (loop,) = found[4]
    assert (loop.detector, loop.observed, loop.threshold) == ("loop", 5.0, 4.0)
    assert (loop.p_value, loop.calibration) == (None, "declared")


def test_calls_that_differ_are_no_loop() -> None:
    one = Shard("log", 0, Policy.of(Budget()))
    for n in range(60):
        assert feed(one, n, START_S + n, trace_id="r", bytes_out=n) == []
    for n in range(60, 90):
        assert feed(one, n, START_S + n, trace_id=f"r{n}") == []
    for n in range(90, 150):
        assert feed(one, n, START_S + n, trace_id="s", target=f"page-{n % 7}") == []


def test_parallel_calls_that_take_turns_are_a_loop() -> None:
    one = Shard("log", 0, Policy.of(Budget()))
    found = [feed(one, n, START_S + n, trace_id="r", bytes_out=n % 2) for n in range(60)]
    first = next(n for n, anomalies in enumerate(found) if anomalies)
    assert first < 2 * MIN_TURNS
    (loop,) = found[first]
    assert (loop.detector, loop.calibration) == ("loop", "declared")
    assert "taking turns" in loop.text
    assert not any(found[first + 1 :]), "one loop, however many calls take part in it"


def test_a_few_repeats_that_others_interrupt_are_no_loop() -> None:
    one = Shard("log", 0, Policy.of(Budget()))
    for n in range(MIN_TURNS):
        target = "x" if n % 5 < 4 else f"y{n}"
        assert feed(one, n, START_S + n, trace_id="r", target=target) == []


def test_an_agent_whose_work_is_to_poll_is_given_its_usual_length() -> None:
    one = Shard("log", 0, Policy.of(Budget()))
    found = []
    for day in range(20):
        for call in range(12):
            number = day * 100 + call
            found.append(feed(one, number, START_S + day * 86_400 + call, trace_id=f"r{day}"))
        found.append(feed(one, day * 100 + 50, START_S + day * 86_400 + 60, trace_id=f"r{day}",
                          tool="report"))  # fmt: skip
    days_with_alarm = sum(1 for f in found if f)
    assert 8 <= days_with_alarm <= 10, "after a day and nine such streaks it is its way of working"
    longer = [feed(one, 9000 + n, START_S + 30 * 86_400 + n, trace_id="x") for n in range(40)]
    assert sum(a.detector == "loop" for f in longer for a in f) == 1, (
        "a longer streak than its own still alarms"
    )
