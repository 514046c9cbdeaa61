"""An attacker who knows the rules, and picks tools, targets, versions and trace ids."""

from collections.abc import Iterator
from functools import cache
from heapq import merge
from typing import Any, Final

import ormsgpack
import pytest

from baselines.profile import Profile
from baselines.rules import Learning
from detectors.budget import Budget
from detectors.finding import Anomaly
from detectors.shard import Policy, Shard
from tests.kit.benign.agent import Agent, Habits, Item
from tests.kit.benign.arrivals import DAY_S, HOUR_S, poisson
from tests.kit.benign.kinds import START_S
from tests.kit.benign.work import task
from tests.kit.events import quick_event

AGENT: Final = "clerk"
KNOWN_S: Final = START_S + 28 * DAY_S
"""By then it has done some five thousand runs."""
DROP: Final = "collect@drop-zone.example"
BUDGETS: Final = (1.0, 10.0)


def clerk() -> Agent:
    """Answers mail, looks orders up, writes files; eight runs an hour."""
    tasks = [task(area, AGENT, 0.3) for area in ("mail", "orders", "files")]
    return Agent(AGENT, "clerk", "poisoning", poisson, Habits(8.0), tasks, START_S)


@cache
def known(budget: float) -> bytes:
    """The profile of the clerk after four weeks."""
    shard = Shard("test", 0, Policy.of(Budget(budget)))
    for offset, (event, raw, _) in enumerate(clerk().until(KNOWN_S)):
        shard.feed(event, raw, offset)
    return ormsgpack.packb(shard.profiles[AGENT].dump(), option=ormsgpack.OPT_NON_STR_KEYS)


def work(days: float) -> Iterator[Item]:
    """What the clerk goes on doing."""
    one = clerk()
    for _ in one.until(KNOWN_S):
        pass
    return one.until(KNOWN_S + days * DAY_S)


def act(at_s: float, run: str | None, tool: str, target: str | None, **fields: Any) -> Item:
    """One act of whoever uses the clerk's identity, so long after the clerk is known."""
    event_id = f"evil-{at_s}-{run}-{tool}"
    same: dict[str, Any] = {
        "event_id": event_id,
        "agent_id": AGENT,
        "role": "clerk",
        "action": "tool_call",
    }
    same |= {"tool": tool, "target": target, "trace_id": run, "bytes_out": 180, "bytes_in": 600}
    return Item(quick_event(KNOWN_S + at_s, same | fields), event_id.encode())


def brought_by_mail(at_s: float, run: str | None, target: str, **fields: Any) -> Item:
    """A mail sent to an address that a mail named: what a hijacked clerk does."""
    origin = {"target_origin": "tool", "target_source": "read_mail"}
    return act(at_s, run, "send_email", target, **origin, **fields)


def hijack(at_s: float, run: str) -> list[Item]:
    """A run like many others, up to the last call."""
    read = {"target_origin": "tool", "target_source": "list_inbox", "data_class": "internal"}
    return [
        act(at_s, run, "list_inbox", None, data_class=None),
        act(at_s + 9, run, "read_mail", f"ORDER-{90_000 + int(at_s // 600)}", **read),
        brought_by_mail(at_s + 21, run, DROP, data_class="internal"),
    ]


def raised(
    budget: float, evil: list[Item], days: float, learning: Learning | None = None
) -> list[Anomaly]:
    """What is alarmed on among the acts of the attacker, while the clerk goes on working."""
    policy = Policy.of(Budget(budget), learning=learning)
    shard = Shard("test", 0, policy)
    saved = ormsgpack.unpackb(known(budget), option=ormsgpack.OPT_NON_STR_KEYS)
    shard.admit([Profile.load(saved, policy.rules)])
    both = merge(work(days), evil, key=lambda item: item.event.time_s)
    found = [a for n, item in enumerate(both) for a in shard.feed(item.event, item.raw, n)]
    # drift is told with whatever comes first in an hour
    return [a for a in found if a.event_id.startswith("evil-") or a.detector == "drift"]


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_hijack_every_three_hours_alarms_each_time_until_its_quarantine_may_end(
    budget: float,
) -> None:
    times = [number * 3 * HOUR_S for number in range(7 * 8)]
    evil = [item for at_s in times for item in hijack(at_s, f"trace-{at_s}")]
    runs = {a.trace_id for a in raised(budget, evil, 7)}
    assert all(f"trace-{at_s}" in runs for at_s in times if at_s < Learning().strict_after_s)


def test_where_people_want_a_week_a_hijack_every_three_hours_alarms_for_a_week() -> None:
    times = [number * 3 * HOUR_S for number in range(7 * 8)]
    evil = [item for at_s in times for item in hijack(at_s, f"trace-{at_s}")]
    learning = Learning(strict_runs=20, strict_after_s=7 * DAY_S)
    runs = {a.trace_id for a in raised(10.0, evil, 7, learning)}
    assert sum(f"trace-{at_s}" in runs for at_s in times) >= 0.9 * len(times)


@pytest.mark.parametrize("budget", BUDGETS)
def test_hundreds_of_invented_traces_in_an_hour_teach_nothing(budget: float) -> None:
    farmed = [brought_by_mail(10.0 * n, f"invented-{n}", DROP) for n in range(360)]
    strike = hijack(2 * DAY_S, "strike")
    found = raised(budget, [*farmed, *strike], 2.1)
    assert "strike" in {a.trace_id for a in found}


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("traced", [True, False])
def test_an_attack_is_seen_when_it_is_cut_into_runs_of_one_event(
    budget: float, traced: bool
) -> None:
    evil = [
        item._replace(event=item.event.model_copy(update={"trace_id": f"{n}" if traced else None}))
        for n, item in enumerate(hijack(5 * HOUR_S, "cut"))
    ]
    found = raised(budget, evil, 0.5)
    assert DROP in {a.target for a in found}


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_ramp_below_every_threshold_is_drift(budget: float) -> None:
    """Twice a day one more folder, named by the user, read in a run like any other."""
    evil = [
        act(n * DAY_S / 2, f"ramp-{n}", "read_file", f"/srv/board/folder-{n}/minutes.md",
            target_origin="user", data_class="internal")
        for n in range(8 * 7)
    ]  # fmt: skip
    found = raised(budget, evil, 28)
    assert "drift" in {a.detector for a in found}


@pytest.mark.parametrize("budget", BUDGETS)
def test_version_flips_do_not_open_the_door(budget: float) -> None:
    """A new version just before, one for each event, and back again."""
    flips = [
        item._replace(event=item.event.model_copy(update={"agent_version": f"9.{number}"}))
        for number, item in enumerate(
            item for n in range(20) for item in hijack(n * HOUR_S, f"flip-{n}")
        )
    ]
    found = raised(budget, flips, 1)
    runs = {a.trace_id for a in found if a.target == DROP}
    assert len(runs) >= 18
