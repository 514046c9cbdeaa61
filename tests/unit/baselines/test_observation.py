from baselines.cohort import Cohort
from baselines.effect import EffectMap
from baselines.observation import Observation
from baselines.profile import Profile, Rules
from tests.kit.events import START_S, event


def observe(profile: Profile, number: int, time_s: float, **fields: object) -> Observation:
    return profile.observe(event(number, time_s, **fields), EffectMap(), Cohort())


def test_a_step_is_what_a_run_is_judged_by() -> None:
    seen = observe(
        Profile("a", Rules()), 1, START_S, tool="send_email", target="x@y.example",
        target_origin="tool", target_source="browse", parent_agent_id="boss", user_id="ada",
        bytes_out=5, status="error",
    )  # fmt: skip
    assert tuple(seen.step) == (
        "send_email", "x@y.example", "tool", "browse", "boss", "ada", "external",
    )  # fmt: skip
    assert seen.call == ("send_email", "x@y.example", 5, None)


def test_without_a_tool_the_action_is_the_tool() -> None:
    seen = observe(Profile("a", Rules()), 1, START_S, tool=None, target=None, action="login")
    assert (seen.tool, seen.step.tool, seen.step.target) == ("login", "login", None)


def test_without_a_trace_the_run_is_the_hour() -> None:
    profile = Profile("a", Rules())
    first, same, next_hour = (
        observe(profile, number, START_S + second, trace_id=None)
        for number, second in enumerate((0, 60, 3600))
    )
    assert first.run == same.run != next_hour.run
    assert first.open_run is same.open_run is not next_hour.open_run


def test_observing_learns_nothing_of_the_event() -> None:
    profile = Profile("a", Rules())
    seen = observe(profile, 1, START_S)
    assert seen.scores == {}
    assert seen.open_run.steps == {}
    assert profile.events == 0
    assert observe(profile, 1, START_S).streak == 1
