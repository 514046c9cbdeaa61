from collections import Counter
from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import pairwise

import pytest

from baselines.event import ActionEvent
from baselines.window import BYTES_OUT, CALLS
from detectors.budget import Budget
from detectors.shard import Policy, Shard
from tests.kit.benign.agent import Change, Item
from tests.kit.benign.arrivals import DAY_S, HOUR_S, WEEK_S
from tests.kit.benign.fast import PER_SECOND, FastAgent, count_in
from tests.kit.benign.kinds import KINDS, START_S, TEN_A_SECOND, crowd
from tests.kit.benign.work import task

SLOW_KINDS = [kind for kind in KINDS if kind != TEN_A_SECOND]


def span_s(kind: str) -> float:
    return HOUR_S if kind == TEN_A_SECOND else 3 * DAY_S


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_events_and_another_others(kind: str) -> None:
    def events(seed: int) -> list[ActionEvent]:
        until_s = START_S + span_s(kind)
        return [item.event for one in crowd(kind, 2, seed) for item in one.until(until_s)]

    assert events(1) == events(1) != events(2)


@pytest.mark.parametrize("kind", KINDS)
def test_events_are_in_order_and_what_a_parser_would_make_of_them(kind: str) -> None:
    for one in crowd(kind, 6):
        items = list(one.until(START_S + span_s(kind)))
        assert items
        for item in items[:200]:
            parsed = ActionEvent.parse(item.event.model_dump_json(exclude_none=True).encode())
            assert parsed == item.event
            assert parsed.time_s == item.event.time_s
        assert all(a.event.time_s <= b.event.time_s for a, b in pairwise(items))
        assert len({item.event.event_id for item in items}) == len(items)


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_goes_on_alike_and_stopping_in_between_changes_nothing(kind: str) -> None:
    (one,), (whole,) = crowd(kind, 1), crowd(kind, 1)
    middle_s, end_s = START_S + span_s(kind) / 2, START_S + span_s(kind)
    first = [item.event for item in one.until(middle_s)]
    copy = deepcopy(one)
    rest = [item.event for item in one.until(end_s)]
    assert [item.event for item in copy.until(end_s)] == rest
    assert first + rest == [item.event for item in whole.until(end_s)]


def runs(kind: str, weeks: float, agents: int = 3) -> list[ActionEvent]:
    """The first event of every run."""
    until_s = START_S + weeks * WEEK_S
    items = (item.event for one in crowd(kind, agents) for item in one.until(until_s))
    return list({event.trace_id: event for event in items if event.trace_id}.values())


def test_rates_are_those_of_the_kind() -> None:
    office = Counter(8 <= event.time.hour < 18 for event in runs("weekly rhythm", 2))
    assert office[True] > 20 * office[False]
    days = Counter(event.time.weekday() for event in runs("weekly rhythm", 2))
    assert min(days[day] for day in range(5)) > 10 * max(days[5], days[6])
    hours = Counter(event.time.hour for event in runs("daily rhythm", 2))
    assert hours[14] > 10 * hours[2]
    weeks = Counter((event.time_s - START_S) // WEEK_S for event in runs("slow growth", 8))
    assert weeks[7.0] / weeks[0.0] == pytest.approx(4**0.875, rel=0.15)
    until_s = START_S + 8 * WEEK_S
    for one in crowd("ten actions a day", 6):
        assert sum(1 for _ in one.until(until_s)) / 56 == pytest.approx(10, rel=0.25)


def dispersion(kind: str) -> float:
    """Variance of the runs per hour over their mean, of one agent."""
    counts = Counter((event.time_s - START_S) // HOUR_S for event in runs(kind, 4, agents=1))
    hourly = [counts[float(hour)] for hour in range(int(4 * WEEK_S / HOUR_S))]
    mean = sum(hourly) / len(hourly)
    return sum((count - mean) ** 2 for count in hourly) / len(hourly) / mean


def test_bursty_kinds_are_over_dispersed_and_poisson_is_not() -> None:
    assert dispersion("Poisson") == pytest.approx(1.0, abs=0.2)
    assert dispersion("negative binomial") > 2
    assert dispersion("on/off bursts") > 2


def test_an_explorer_goes_on_to_find_new_targets_and_others_hardly() -> None:
    def new_in_last_week(kind: str) -> float:
        (one,) = crowd(kind, 1)
        known = {item.event.target for item in one.until(START_S + 3 * WEEK_S)}
        # Serial numbers are always new, and always of one form.
        last = [e.event.target or "" for e in one.until(START_S + 4 * WEEK_S)]
        named = [target for target in last if target and not target.startswith("ORDER-")]
        return len(set(named) - known) / len(named)

    assert new_in_last_week("steady explorer") > 0.2
    assert new_in_last_week("Poisson") < 0.05


def test_a_new_task_brings_tools_every_week() -> None:
    (one,) = crowd("a new task every week", 1)
    known: set[str | None] = set()
    for week in range(1, 5):
        tools = {item.event.tool for item in one.until(START_S + week * WEEK_S)}
        assert len(tools - known) >= 3
        known |= tools


@pytest.mark.parametrize("kind", [*SLOW_KINDS[:2], TEN_A_SECOND])
def test_a_change_is_what_it_says(kind: str) -> None:
    def totals(change: Change) -> tuple[int, int]:
        (one,) = crowd(kind, 1)
        until_s = START_S + 10 * span_s(kind)
        one.change = change
        calls = sent = 0
        for event, _, before in one.until(until_s):
            calls += 1 + (before.calls if before else 0)
            sent += (event.bytes_out or 0) + (before.bytes_out if before else 0)
        return calls, sent

    calls, sent = totals(Change())
    assert totals(Change(rate=3.0))[0] == pytest.approx(3 * calls, rel=0.15)
    assert totals(Change(volume=5.0))[1] == pytest.approx(5 * sent, rel=0.05)
    hours = 10 * span_s(kind) / HOUR_S
    leaked = totals(Change(leak_bytes_per_h=60_000.0))[1] - sent
    assert leaked == pytest.approx(60_000 * hours, rel=0.05)


def alarms(items: Iterator[Item], budget: float) -> tuple[set[str], Sequence[float]]:
    shard = Shard("test", 0, Policy.of(Budget(budget)))
    found = set()
    for offset, (event, raw, before) in enumerate(items):
        if before is not None:
            count_in(shard.profiles[event.agent_id], before)
        found |= {f"{a.detector} {a.unit} {a.anomaly_id}" for a in shard.feed(event, raw, offset)}
    hour = shard.profiles["fast"].windows[1]
    return found, hour.totals


def test_totals_raise_what_each_event_would() -> None:
    def fast(one_by_one: bool) -> Iterator[Item]:
        tasks = [task("orders", "fast", 0.3), task("files", "fast", 0.3)]
        one = FastAgent("fast", "role", 7, True, 0.3, tasks, START_S, one_by_one)
        yield from one.until(START_S + 2 * HOUR_S)
        one.change = Change(rate=2.5)
        yield from one.until(START_S + 2.2 * HOUR_S)
        one.change = Change(volume=8.0)
        yield from one.until(START_S + 2.5 * HOUR_S)

    batch, batch_totals = alarms(fast(False), 10.0)
    single, single_totals = alarms(fast(True), 10.0)
    assert batch_totals == single_totals
    assert batch_totals[CALLS] > 0.5 * PER_SECOND * HOUR_S
    assert batch_totals[BYTES_OUT] > 0
    assert batch == single
    assert batch
