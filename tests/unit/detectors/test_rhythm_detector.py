"""Acting at an hour at which the agent never acts."""

from baselines.rhythm import DAY_S
from detectors.budget import Budget
from detectors.shard import Policy, Shard
from tests.kit.week import at, office, play

POLICY = Policy.of(Budget(1.0))


def test_sunday_at_three_is_said_to_one_who_works_in_office_hours() -> None:
    shard = Shard("log", 0, POLICY)
    assert play(shard, office(6)) == []
    (found,) = play(shard, [at(6, 3.2, 5), at(6, 3.3, 5)])
    assert found.detector == "rhythm"
    assert found.calibration == "calibrated"
    assert "acted on Sunday 03:12 UTC; in 6 weeks it hardly ever acted" in found.text
    assert found.p_value is not None
    assert found.p_value < 0.05
    assert found.expected < found.threshold < 0.02
    assert len(found.history) == 24
    assert found.held == "hour"


def test_before_calibration_it_has_no_opinion() -> None:
    shard = Shard("log", 0, POLICY)
    assert play(shard, office(2)) == []
    assert play(shard, [at(6, 3, 1)]) == []


def test_who_acts_now_and_then_at_night_never_alarms() -> None:
    shard, times = Shard("log", 0, POLICY), []
    for week in range(8):
        for day in range(7):
            times += [at(day, hour, week) for hour in range(24) if (hour * 7 + day + week) % 3 == 0]
    assert play(shard, times) == []


def test_a_new_working_time_is_normal_once_it_has_recurred() -> None:
    shard = Shard("log", 0, POLICY)
    play(shard, office(6))
    nights = [at(day, 23, 6) for day in range(5)] + [at(day, 23, 7) for day in range(5)]
    alarmed = [anomaly.time.timestamp() for anomaly in play(shard, nights)]
    assert nights[0] in alarmed
    assert 4 <= len(alarmed) <= 7
    assert alarmed[-1] - alarmed[0] <= 8 * DAY_S
