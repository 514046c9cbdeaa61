from baselines.effect import EffectMap
from baselines.portrait import MAX_TERMS, MAX_WAITING, Term, portrait
from baselines.profile import Profile, Rules
from baselines.vocabulary import Patience
from tests.kit.events import START_S, event


def test_of_a_new_agent_there_is_nothing_to_tell() -> None:
    seen = portrait(Profile("new", Rules()))
    assert (seen.tools, seen.targets, seen.waiting, seen.effects) == ((), (), (), {})
    assert len(seen.hours) == 168
    assert all(volume.limit is None and volume.usual == 0.0 for volume in seen.volumes)


def test_what_is_used_most_comes_first_and_what_waits_is_bounded() -> None:
    profile = Profile("a", Rules())
    tools = profile.work.habits.tools
    for number in range(MAX_TERMS + 5):
        for _ in range(number + 1):
            tools.learn(f"tool-{number:02}")
        for copy in range(2):
            tools.hold(f"odd-{number}-{copy}", "r", number, Patience(3, 60.0), alarmed=False)
    before = profile.dump()
    seen = portrait(profile)
    assert [tool.text for tool in seen.tools][:2] == ["tool-14", "tool-13"]
    assert (len(seen.tools), seen.tool_count) == (MAX_TERMS, MAX_TERMS + 5)
    assert (len(seen.waiting), seen.waiting_count) == (MAX_WAITING, 2 * (MAX_TERMS + 5))
    assert seen.waiting[0].first_s == MAX_TERMS + 4
    assert profile.dump() == before


def test_a_limit_is_told_once_there_is_one() -> None:
    profile = Profile("a", Rules())
    for hour in range(12):
        seen = event(hour, START_S + 3600.0 * hour, target="EMP-1", effect="read")
        observed = profile.observe(seen, EffectMap())
        observed.scores["run"] = 0.0
        profile.learn(observed)
    calls = portrait(profile).volumes[0]
    assert calls.limit is not None
    assert calls.limit > calls.usual > 0
    assert portrait(profile).targets == (Term("EMP-1", 11),)
