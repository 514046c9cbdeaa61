"""An agent of ten actions a second: too many to be fed one by one for weeks.

Its calls are much alike: within a job it calls the same few tools on the same few targets. So of
each minute the first call, the calls that are new to the job and the last call are given as
events, and the others as totals. A unit test holds that feeding each event raises the same alarms.
"""

from collections.abc import Iterator
from math import sin
from random import Random
from typing import Any, Final

import numpy as np

from baselines.profile import Profile
from tests.kit.benign.agent import Change, Item, Totals
from tests.kit.benign.arrivals import SLOT_S
from tests.kit.benign.work import Call, Task, run
from tests.kit.events import quick_event

PER_SECOND: Final = 10.0
_MINUTE_S: Final = 60.0
_LEAST_CALLS: Final = 4
_DRAWN: Final = 1 << 18
"""Sizes and failures are drawn once; each minute takes a stretch of them at random."""
_DRAWS: Final = np.random.Generator(np.random.PCG64(1))
_SENT: Final = _DRAWS.lognormal(5.0, 0.6, _DRAWN)
_ANSWERED: Final = _DRAWS.lognormal(6.0, 0.6, _DRAWN)
_FAILED: Final = _DRAWS.random(_DRAWN) < 0.005


def count_in(profile: Profile, totals: Totals) -> None:
    """Count calls into the open windows of the agent, without an event for each."""
    for window in profile.windows:
        for metric, amount in enumerate(totals):
            window.totals[metric] += amount


class FastAgent:
    """Ten actions a second, in jobs of ten minutes.

    Parameters
    ----------
    agent_id, role, seed
        As of `Agent`.
    traced
        Whether each job has a `trace_id`.
    wave
        By how much the rate swings about its mean, without a period; 0 for a steady one.
    tasks
        What it works at.
    start_s
        When it begins, in seconds since the epoch; a multiple of ten minutes.
    one_by_one
        Give each event, and no totals.

    Attributes
    ----------
    change
        As of `Agent`; in force from the next job on.
    """

    def __init__(
        self,
        agent_id: str,
        role: str,
        seed: int,
        traced: bool,
        wave: float,
        tasks: list[Task],
        start_s: float,
        one_by_one: bool = False,
    ) -> None:
        self.agent_id = agent_id
        self.rng = Random(seed)
        self.draws = np.random.Generator(np.random.PCG64(seed))
        self.traced = traced
        self.wave = wave
        self.tasks = tasks
        self.start_s = start_s
        self.one_by_one = one_by_one
        self.change = Change()
        self._same: dict[str, Any] = {"agent_id": agent_id, "role": role, "action": "tool_call"}
        self._at_s = start_s
        self._numbers = 0
        self._jobs = 0

    def until(self, time_s: float) -> Iterator[Item]:
        """The events of the jobs that begin before `time_s` and were not given yet."""
        while self._at_s < time_s:
            yield from self._job(self._at_s)
            self._at_s += SLOT_S

    def _job(self, begin_s: float) -> Iterator[Item]:
        calls: list[Call] = []
        while len(set(calls)) < _LEAST_CALLS:
            calls += run(self.tasks, self.rng)
        calls = list(dict.fromkeys(calls))
        self._jobs += 1
        same = self._same
        if self.traced:
            same = same | {"trace_id": f"{self.agent_id}/job-{self._jobs}"}
        for minute in range(int(SLOT_S // _MINUTE_S)):
            # One call that the job has not made yet turns up in each minute, while there are any.
            fresh = calls[:_LEAST_CALLS] if minute == 0 else calls[: _LEAST_CALLS + minute][-1:]
            yield from self._minute(begin_s + minute * _MINUTE_S, same, fresh, calls[:_LEAST_CALLS])
        if self.change.leak_bytes_per_h:
            leak = int(self.change.leak_bytes_per_h * SLOT_S / 3600.0)
            yield self._item(begin_s + SLOT_S - 0.1, same, calls[0], leak, 100, "ok")

    def _minute(
        self, begin_s: float, same: dict[str, Any], fresh: list[Call], usual: list[Call]
    ) -> Iterator[Item]:
        # Two incommensurable sines and a drift in phase: a wave without a period.
        phase = (begin_s - self.start_s) / 3600.0
        swing = 1.0 + self.wave * 0.5 * (sin(phase / 3.1) + sin(phase / 7.7 + sin(phase / 50.0)))
        mean = PER_SECOND * _MINUTE_S * swing * self.change.rate
        count = max(int(self.draws.poisson(mean)), len(fresh) + 2)
        first = self.rng.randrange(_DRAWN - count)
        drawn = slice(first, first + count)
        sent, answered = (
            (sizes[drawn] * self.change.volume).astype(np.int64) for sizes in (_SENT, _ANSWERED)
        )
        failed = _FAILED[drawn]
        gap_s = (_MINUTE_S - 0.2) / count

        def one(index: int, call: Call) -> Item:
            status = "error" if failed[index] else "ok"
            sizes = int(sent[index]), int(answered[index])
            return self._item(begin_s + gap_s * index, same, call, *sizes, status)

        ones = len(fresh)
        for index, call in enumerate(fresh):
            yield one(index, call)
        rest = slice(ones, count - 1)
        if self.one_by_one:
            for index in range(count)[rest]:
                yield one(index, usual[index % len(usual)])
            before = None
        else:
            before = Totals(
                count - 1 - ones,
                int(sent[rest].sum()),
                int(answered[rest].sum()),
                int(failed[rest].sum()),
            )
        yield one(count - 1, usual[(count - 1) % len(usual)])._replace(before=before)

    def _item(
        self,
        at_s: float,
        same: dict[str, Any],
        call: Call,
        bytes_out: int,
        bytes_in: int,
        status: str,
    ) -> Item:
        self._numbers += 1
        fields = same | {
            "event_id": f"{self.agent_id}/{self._numbers}",
            "tool": call.tool,
            "target": call.target,
            "target_origin": call.origin,
            "target_source": call.source,
            "data_class": call.data_class,
            "bytes_out": bytes_out,
            "bytes_in": bytes_in,
            "status": status,
        }
        return Item(quick_event(at_s, fields), fields["event_id"].encode())
