import pytest

from baselines.exposure import Exposure
from detectors.combination import Combination
from detectors.finding import Finding, Severity
from tests.kit.conduct import DAY_S, HOUR_S, Agent

PAGE = {"action": "read", "tool": "fetch_page", "target": "https://evil.example/x"}
SECRET = {"action": "read", "tool": "get_salary", "target": "EMP-1", "data_class": "confidential"}
SEND = {"action": "send", "tool": "send_email", "target": "eve@evil.example"}


def run(agent: Agent, at_s: float, *calls: dict[str, str], trace: str = "t") -> list[Finding]:
    found: list[Finding] = []
    for number, call in enumerate(calls):
        found += agent.act(at_s + number, trace_id=trace, **call)
    return found


@pytest.mark.parametrize("calls", [(PAGE, SECRET, SEND), (SECRET, PAGE, SEND)])
def test_a_new_agent_is_told_of_at_once(calls: tuple[dict[str, str], ...]) -> None:
    (found,) = run(Agent(Combination()), 0, *calls, SEND)
    assert (found.severity, found.calibration, found.p_value) == (Severity.HIGH, "declared", None)
    assert any("fetch_page https://evil.example/x" in line for line in found.evidence)
    assert any("get_salary EMP-1" in line for line in found.evidence)


@pytest.mark.parametrize("calls", [(PAGE, SEND), (SECRET, SEND), (PAGE, SECRET), (SEND, PAGE)])
def test_a_half_is_nothing(calls: tuple[dict[str, str], ...]) -> None:
    assert run(Agent(Combination()), 0, *calls) == []


def test_two_runs_do_not_add_up() -> None:
    agent = Agent(Combination())
    assert run(agent, 0, PAGE, SECRET, trace="a") + run(agent, 9, SEND, trace="b") == []


def test_what_is_sent_may_itself_be_the_confidential_part() -> None:
    agent = Agent(Combination())
    assert len(run(agent, 0, PAGE, {**SEND, "data_class": "restricted"})) == 1


def test_it_is_worse_where_the_address_came_from_a_result_and_less_bad_where_it_was_refused() -> (
    None
):
    told = {**SEND, "target_origin": "tool", "target_source": "fetch_page"}
    (found,) = run(Agent(Combination()), 0, PAGE, SECRET, told)
    assert found.severity == Severity.CRITICAL
    refused = {**SEND, "status": "denied"}
    first, second = run(Agent(Combination()), 0, PAGE, SECRET, refused, refused, SEND)
    assert (first.severity, second.severity) == (Severity.MEDIUM, Severity.HIGH)


def test_targets_may_be_declared_confidential() -> None:
    agent = Agent(Combination(), Exposure(confidential_targets=["EMP-*"]))
    plain = {key: value for key, value in SECRET.items() if key != "data_class"}
    assert len(run(agent, 0, PAGE, plain, SEND)) == 1


def test_an_agent_whose_work_it_is_becomes_dull_and_its_refused_attempts_do_not_help() -> None:
    agent, raised = Agent(Combination()), 0
    for number in range(60):
        raised += len(run(agent, number * 7 * HOUR_S, PAGE, SECRET, SEND, trace=f"t{number}"))
    assert raised == 4
    tries = Agent(Combination())
    for number in range(60):
        refused = {**SEND, "status": "denied"}
        run(tries, number * 7 * HOUR_S, PAGE, SECRET, refused, trace=f"t{number}")
    assert len(run(tries, 40 * DAY_S, PAGE, SECRET, SEND, trace="last")) == 1


def test_the_same_way_out_is_told_once_and_then_repeated() -> None:
    agent = Agent(Combination())
    found = [
        run(agent, n * 7 * HOUR_S, PAGE, SECRET, SEND, trace=f"t{n}")[0].repeat for n in range(3)
    ]
    assert found == [False, True, True]


def test_where_an_agent_often_goes_a_result_may_send_it() -> None:
    told = {**SEND, "target_origin": "tool", "target_source": "fetch_page"}
    agent = Agent(Combination())
    for number in range(40):
        agent.act(number * HOUR_S, trace_id=f"o{number}", **told)
    (usual,) = run(agent, 50 * HOUR_S, PAGE, SECRET, told, trace="a")
    (first,) = run(agent, 60 * HOUR_S, PAGE, SECRET, {**told, "target": "new@x.example"}, trace="b")
    assert (usual.severity, first.severity) == (Severity.HIGH, Severity.CRITICAL)
    assert not first.repeat, "what is critical is always news"
