from detectors.finding import Severity
from detectors.privilege import Privilege
from tests.kit.conduct import DAY_S, HOUR_S, Agent


def test_a_grant_that_is_not_given_back_is_said_once() -> None:
    agent = Agent(Privilege())
    agent.act(0, action="grant_request", tool=None, target="db:admin")
    assert agent.act(23 * HOUR_S) == []
    (found,) = agent.act(25 * HOUR_S)
    assert found.severity == Severity.MEDIUM
    assert found.calibration == "declared"
    assert found.p_value is None
    assert "“db:admin”" in found.text
    assert "25 hours" in found.text
    assert agent.act(26 * HOUR_S) == [] == agent.act(9 * DAY_S)


def test_giving_it_back_late_is_no_news() -> None:
    agent = Agent(Privilege())
    agent.act(0, action="grant_request", target="db:admin")
    assert agent.act(30 * HOUR_S, action="grant_release", target="db:admin") == []


def test_an_agent_that_usually_holds_them_for_days_may() -> None:
    agent = Agent(Privilege(give_back_after_s=HOUR_S))
    agent.act(0, action="grant_request", target="a")
    agent.act(0.9 * HOUR_S, action="grant_release", target="a")
    agent.act(DAY_S, action="grant_request", target="a")
    assert agent.act(DAY_S + 1.7 * HOUR_S) == []
    assert agent.act(DAY_S + 1.9 * HOUR_S) != []


def test_more_scopes_than_ever_are_said_and_said_again_only_for_yet_more() -> None:
    agent, raised = Agent(Privilege(more_than_ever=2)), []
    for number in range(9):
        found = agent.act(60.0 * number, action="grant_request", target=f"scope-{number}")
        raised += [finding.observed for finding in found]
    assert raised == [3, 6, 9]


def test_an_agent_that_holds_many_and_gives_them_back_may() -> None:
    agent = Agent(Privilege(more_than_ever=2))
    for day in range(5):
        for number in range(2 + 2 * day):
            found = agent.act(day * DAY_S + number, action="grant_request", target=f"s{number}")
            assert found == []
        for number in range(2 + 2 * day):
            agent.act(day * DAY_S + 99 + number, action="grant_release", target=f"s{number}")
