import pytest

from baselines.effect import EffectMap
from baselines.profile import Profile, Rules
from baselines.window import BYTES_OUT, CALLS, FAILURES, Window
from tests.kit.events import START_S, event


def feed(profile: Profile, number: int, time_s: float, **fields: object) -> None:
    seen = event(number, time_s, **fields)
    profile.learn(profile.observe(seen, EffectMap()))


def test_totals_count_calls_bytes_and_failures() -> None:
    profile = Profile("payroll-1", Rules())
    feed(profile, 1, START_S, bytes_out=10)
    feed(profile, 2, START_S + 1, bytes_out=5, status="error")
    feed(profile, 3, START_S + 2, status="denied")
    minute, hour = profile.windows
    for window in (minute, hour):
        assert window.totals[CALLS] == 3
        assert window.totals[BYTES_OUT] == 15
        assert window.totals[FAILURES] == 2


def test_a_window_closes_by_the_agents_own_time() -> None:
    profile = Profile("payroll-1", Rules())
    feed(profile, 1, START_S)
    feed(profile, 2, START_S + 59.9)
    assert profile.windows[0].levels[CALLS].windows == 0
    feed(profile, 3, START_S + 60)
    assert profile.windows[0].levels[CALLS].windows == 1
    assert profile.windows[0].levels[CALLS].expected == pytest.approx(2)


def test_a_late_event_counts_in_the_open_window() -> None:
    profile = Profile("payroll-1", Rules())
    feed(profile, 1, START_S + 120)
    feed(profile, 2, START_S)
    assert profile.windows[0].totals[CALLS] == 2
    assert profile.windows[0].start_s == START_S + 120


def test_an_alarmed_window_is_not_learned() -> None:
    window = Window(60, 1e-3)
    window.roll(START_S, 86_400)
    window.totals[CALLS] = 1000.0
    window.alarmed.add(CALLS)
    window.roll(START_S + 60, 86_400)
    assert window.levels[CALLS].windows == 0
    assert window.levels[BYTES_OUT].windows == 1
    assert not window.alarmed
