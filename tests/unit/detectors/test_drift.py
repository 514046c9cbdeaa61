import ormsgpack

from baselines.profile import Profile, Rules
from baselines.tail import FITTED, SKIPPED
from detectors.digest import digest
from detectors.drift import Drift
from detectors.finding import Finding, Severity
from tests.kit.conduct import DAY_S, HOUR_S, Agent
from tests.kit.events import START_S

RUNS_A_DAY = 10
FIRST_DAY = 8
"""The profile is taken on the day before."""


def known(detector: Drift, *, by: str | None = None) -> Agent:
    """An agent whose profile is taken after a week of ten runs a day."""
    agent = Agent(detector)
    days(agent, 0, FIRST_DAY - 1, beyond=0)
    tail = agent.profile.tails["run"]
    for _ in range(SKIPPED + FITTED):
        tail.take(1.0, 0.01, START_S + FIRST_DAY * DAY_S)
    days(agent, FIRST_DAY - 1, FIRST_DAY, beyond=0)
    if by is not None:
        agent.profile.conduct.approve(by, START_S + (FIRST_DAY - 1) * DAY_S)
    return agent


def days(
    agent: Agent, first: int, last: int, beyond: int, *, calls: int = 1, tool: str = "read_budget"
) -> list[Finding]:
    """Ten runs a day, one an hour, so many of which use a tool that was not approved."""
    found: list[Finding] = []
    for day in range(first, last):
        for number in range(RUNS_A_DAY):
            for call in range(calls):
                odd = number < beyond
                found += agent.act(
                    day * DAY_S + number * HOUR_S + call,
                    trace_id=f"{day}-{number}",
                    tool=tool if odd else "read_ledger",
                )
    return found


def test_a_widened_agent_is_told_of_once_with_what_is_new_and_since_when() -> None:
    agent = known(Drift(), by="alice")
    (found,) = days(agent, FIRST_DAY, 40, beyond=3)
    assert (found.calibration, found.p_value) == ("declared", None)
    assert found.observed > 0.2
    assert found.history[-1] == found.observed
    assert "approved by “alice” on 2026-02-09" in found.text
    assert "1 tool" in found.text
    assert any("tool “read_budget”: first on 2026-02-10" in line for line in found.evidence)


def test_below_the_limit_nothing_is_said() -> None:
    assert days(known(Drift()), FIRST_DAY, 40, beyond=1) == []
    assert days(known(Drift(limit=0.05)), FIRST_DAY, 40, beyond=1) != []


def test_it_is_said_again_when_it_has_doubled_and_not_within_a_week() -> None:
    agent = known(Drift())
    found = days(agent, FIRST_DAY, 20, beyond=3) + days(agent, 20, 60, beyond=8)
    assert len(found) == 2
    assert found[1].observed >= 2 * found[0].observed


def test_a_profile_that_nobody_approved_says_so() -> None:
    (found,) = days(known(Drift()), FIRST_DAY, 20, beyond=3)
    assert "approved by nobody; taken on 2026-02-09" in found.text


def test_new_ways_out_are_worse() -> None:
    (read,) = days(known(Drift()), FIRST_DAY, 20, beyond=3)
    (sent,) = days(known(Drift()), FIRST_DAY, 20, beyond=3, tool="send_email")
    assert (read.severity, sent.severity) == (Severity.MEDIUM, Severity.HIGH)


def test_approving_starts_anew() -> None:
    agent = known(Drift())
    assert len(days(agent, FIRST_DAY, 20, beyond=3)) == 1
    agent.profile.conduct.approve("bob", START_S + 20 * DAY_S)
    assert days(agent, 20, 40, beyond=3) == []
    assert len(days(agent, 40, 60, beyond=3, tool="read_plan")) == 1


def ramp(agent: Agent, first: int, last: int, *, each: int = 1) -> list[Finding]:
    """Ordinary days with one run more, which reads so many folders that it never read."""
    found: list[Finding] = []
    for day in range(first, last):
        found += days(agent, day, day + 1, beyond=0)
        for number in range(each):
            found += agent.act(
                day * DAY_S + RUNS_A_DAY * HOUR_S,
                trace_id=f"{day}-ramp",
                tool="read_ledger",
                target=f"/srv/{day}-{number}/a.csv",
            )
    return found


def test_one_new_folder_after_another_is_widening_though_nearly_all_runs_are_approved() -> None:
    agent = known(Drift())
    assert ramp(agent, FIRST_DAY, FIRST_DAY + 10) == []
    (found,) = ramp(agent, FIRST_DAY + 10, FIRST_DAY + 20)
    assert (found.observed, found.threshold) == (11.0, 10.0)
    assert "used 11 tools, verbs, effects and groups of targets" in found.text
    assert "“read_ledger” on “folder /srv/18-0”" in found.evidence[0], "the newest"
    (again,) = ramp(agent, FIRST_DAY + 20, FIRST_DAY + 40)
    assert again.observed == 2 * found.observed


def test_breadth_is_beside_what_was_approved_and_sudden_breadth_is_another_matter() -> None:
    assert ramp(known(Drift(breadth=10.0)), FIRST_DAY, FIRST_DAY + 30) == []
    agent = known(Drift())
    assert ramp(agent, FIRST_DAY, FIRST_DAY + 3, each=9) == [], "three runs"
    assert len(ramp(agent, FIRST_DAY + 3, FIRST_DAY + 6)) == 1


def test_both_ways_of_widening_are_one_story() -> None:
    agent = known(Drift())
    assert len(ramp(agent, FIRST_DAY, FIRST_DAY + 12)) == 1
    told = digest(agent.profile).breadth
    found = days(agent, FIRST_DAY + 12, FIRST_DAY + 17, beyond=5)
    assert found == [], "not within a week"
    (again,) = days(agent, FIRST_DAY + 17, FIRST_DAY + 30, beyond=5)
    assert again.unit == "of the week's runs beyond the approved profile"
    assert told < digest(agent.profile).breadth < 2 * told


def test_a_slow_ramp_is_found_against_the_approved_level() -> None:
    agent, found = known(Drift()), []
    for day in range(FIRST_DAY, 60):
        found += days(agent, day, day + 1, beyond=0, calls=max(4, int(4 * 1.04 ** (day - 10))))
    first = found[0]
    assert first.unit == "calls per active hour"
    assert first.observed > 2 * first.expected > 0
    assert len(found) <= 3, "once for each doubling"


def test_a_steady_agent_and_one_that_is_not_known_yet_are_left_alone() -> None:
    assert days(known(Drift()), FIRST_DAY, 60, beyond=0, calls=3) == []
    assert days(Agent(Drift()), 0, 5, beyond=9) == []


def test_a_digest_says_the_same_of_a_stored_profile() -> None:
    agent = known(Drift())
    days(agent, FIRST_DAY, 20, beyond=3)
    stored = ormsgpack.unpackb(ormsgpack.packb(agent.profile.dump()))
    told = digest(Profile.load(stored, Rules()))
    assert told == digest(agent.profile)
    assert told.beyond_runs[-1] == 21
    assert [beyond.text for beyond in told.beyond] == ["read_budget", "ids like a-0"]
