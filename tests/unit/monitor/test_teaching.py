"""What a person says was expected does not alarm again the next day; what was not said does."""

from typing import Any

import pytest

from baselines.profile import Profile, Rules
from baselines.rhythm import DAY_S, HOUR_S
from detectors.budget import Budget
from detectors.combination import Combination
from detectors.drift import Drift
from detectors.finding import Anomaly, Finding
from detectors.privilege import Privilege
from detectors.shard import Policy, Shard
from monitor import teaching
from tests.kit.anomalies import anomaly
from tests.kit.conduct import Agent
from tests.kit.events import START_S, event
from tests.kit.week import MONDAY_S, at, office, play
from tests.unit.detectors.test_combination import PAGE, SECRET, SEND
from tests.unit.detectors.test_combination import run as run_of
from tests.unit.detectors.test_drift import FIRST_DAY, days, known
from tests.unit.detectors.test_silence import every, feed, silences

POLICY = Policy.of(Budget(1.0))


def raised(agent: Agent, finding: Finding, after_s: float, **fields: Any) -> Anomaly:
    """A finding of an agent in tests as the anomaly that the ledger keeps."""
    return Anomaly.of(finding, event(0, START_S + after_s, **fields), "external", ("log", 0, 0))


def teach(profile: Profile, *found: Anomaly, scope: teaching.Scope | None = None) -> Profile:
    """Said to be expected, written, read again and applied; then stored and loaded."""
    lessons = teaching.read(teaching.write(teaching.of(found, scope)))
    teaching.apply(profile, lessons, by="os:ann", at_s=profile.last_seen_s)
    assert Profile.load(profile.dump(), profile.rules).dump() == profile.dump()
    return profile


@pytest.mark.parametrize("taught", [True, False])
def test_an_hour_that_was_expected_is_one_on_any_day(taught: bool) -> None:
    shard = Shard("log", 0, POLICY)
    play(shard, office(6))
    (found,) = play(shard, [at(1, 3.2, 6)])
    assert found.detector == "rhythm"
    (profile,) = shard.profiles.values()
    if taught:
        teach(profile, found, scope="level")
        assert profile.rhythm.p_active(at(5, 3, 6)) > 0.25
    next_days = [at(day, hour, 6) for day in (2, 3, 4) for hour in (3.1, 9)]
    assert bool(play(shard, next_days)) is not taught
    other = [at(6, 1.1, 6)]
    assert [one.detector for one in play(shard, other)] == ["rhythm"], "no other hour is excused"


@pytest.mark.parametrize("hears_while_silent", [True, False])
def test_a_silence_that_was_expected_may_come_again(hears_while_silent: bool) -> None:
    """As long as it gets, whether it is judged while it goes on or when the agent is back."""
    shard = Shard("log", 0, POLICY)
    others = every(300, 9, "other")
    acts = every(240, 7, "steady")
    rest_s = 7 * DAY_S + 2 * HOUR_S
    while_silent = [one for one in others if one[0] < MONDAY_S + rest_s]
    (found,) = silences(feed(shard, acts, while_silent))
    profile = shard.profiles["steady"]
    if hears_while_silent:
        teach(profile, found)
        assert profile.rhythm.expected
    back_s = MONDAY_S + rest_s
    day = every(240, 22 / 24, "steady", back_s)
    later = [one for one in others if one[0] >= back_s]
    assert silences(feed(shard, day, [one for one in later if one[0] <= day[-1][0]])) == []
    if not hears_while_silent:
        teach(profile, found)
        assert not profile.rhythm.expected
    rest = [one for one in later if one[0] > day[-1][0]]
    observed_s = found.observed * 60
    asleep_s = 2 * HOUR_S if hears_while_silent else observed_s
    shorter = [one for one in rest if one[0] < day[-1][0] + asleep_s]
    assert silences(feed(shard, shorter)) == [], "the same silence, a day later"
    assert silences(feed(shard, rest[len(shorter) :])) != [], "it is missed if it never comes back"


def test_a_rest_of_days_is_one_of_these_hours_of_the_week() -> None:
    rhythm = Profile("a", Rules()).rhythm
    for time_s in (MONDAY_S + n * HOUR_S for n in range(24 * 28)):
        rhythm.enter(time_s)
    before = rhythm.p_active(MONDAY_S)
    rhythm.rest(MONDAY_S + 5 * DAY_S, MONDAY_S + 7 * DAY_S)
    assert rhythm.p_active(MONDAY_S + 6 * DAY_S) < 0.8 < before
    assert rhythm.p_active(MONDAY_S + 2 * DAY_S) == pytest.approx(before, abs=0.05)


def test_a_drift_that_was_expected_is_the_approved_profile() -> None:
    agent = known(Drift())
    (found,) = days(agent, FIRST_DAY, 20, beyond=3)
    told = raised(agent, found, 20 * DAY_S)
    assert teaching.of([told], "level") == teaching.Lessons()
    teach(agent.profile, told, scope="terms")
    assert agent.profile.conduct.approved.by == "os:ann"
    assert days(agent, 20, 40, beyond=3) == []
    assert days(agent, 40, 60, beyond=5, tool="wire_money") != []


def test_a_grant_that_was_expected_to_be_held_may_be_again() -> None:
    def hold(first_s: float, scope: str, days_: int) -> list[Finding]:
        agent.act(first_s, action="grant_request", tool=None, target=scope)
        found = [one for n in range(1, days_ * 4) for one in agent.act(first_s + n * DAY_S / 4)]
        agent.act(first_s + days_ * DAY_S, action="grant_release", tool=None, target=scope)
        return found

    agent = Agent(Privilege())
    agent.act(0, action="grant_request", tool=None, target="db:admin")
    (found,) = agent.act(25 * HOUR_S)
    teach(agent.profile, raised(agent, found, 25 * HOUR_S))
    agent.act(5 * DAY_S, action="grant_release", tool=None, target="db:admin")
    assert hold(6 * DAY_S, "db:admin", 5) == [], "as long as the one that was expected"
    assert hold(20 * DAY_S, "db:admin", 30) != []


def test_a_way_out_that_was_expected_is_the_agents_work() -> None:
    agent = Agent(Combination())
    (found,) = run_of(agent, 0, PAGE, SECRET, SEND)
    teach(agent.profile, raised(agent, found, 2, **SEND))
    assert run_of(agent, DAY_S, PAGE, SECRET, SEND, trace="next") == []
    other = {**SEND, "tool": "post_form"}
    assert len(run_of(agent, 2 * DAY_S, PAGE, SECRET, other, trace="other")) == 1


def test_each_lesson_has_words_and_a_document() -> None:
    found = [
        anomaly("r", held="hour", detector="rhythm", calibration="calibrated"),
        anomaly("s", held=None, detector="silence", observed=90.0),
        anomaly("g", held="grant", detector="privilege", subject="held\ndb:admin", observed=30.0),
        anomaly("c", held=None, detector="combination", subject="tried\nsend_email\nx"),
        anomaly("d", held="drift", detector="drift", subject="widened"),
    ]
    lessons = teaching.of(found, None)
    assert len(lessons.words()) == len(found)
    assert "to hold db:admin for 30 hours" in lessons.words()
    told = teaching.document(lessons)
    assert [name for name, value in told.items() if value] == [
        "hours", "rests", "grants", "ways_out", "approved",
    ]  # fmt: skip
    assert lessons.ways_out == ("tried\nsend_email",)
    assert teaching.of(found, "terms").hours == () != teaching.of(found, "level").hours
