from baselines.effect import EffectMap
from baselines.profile import FAMILIES, Profile, Rules
from baselines.summary import EPISODES_TO_LEARN, Learned
from tests.kit.events import START_S, event


def test_a_summary_says_who_when_and_how_well_known() -> None:
    profile = Profile("payroll-1", Rules())
    for number, at in enumerate((0.0, 60.0, 30.0)):
        seen = event(number, START_S + at, role="payroll", agent_version=f"v{number}")
        profile.learn(profile.observe(seen, EffectMap()))
    summary = profile.summary()
    assert (summary.agent_id, summary.role, summary.agent_version) == ("payroll-1", "payroll", "v2")
    assert (summary.first_seen_s, summary.last_seen_s) == (START_S, START_S + 60)
    assert summary.events == 3
    assert summary.learned == dict.fromkeys(FAMILIES, Learned(0, None))


def test_a_family_is_learned_after_so_many_episodes() -> None:
    profile = Profile("payroll-1", Rules())
    for number in range(EPISODES_TO_LEARN - 1):
        profile.tails["run"].take(1.0, 0.01, START_S + number)
    assert profile.summary().learned["run"] == (EPISODES_TO_LEARN - 1, None)
    profile.tails["run"].take(1.0, 0.01, START_S + 999)
    assert profile.summary().learned["run"] == (EPISODES_TO_LEARN, START_S + 999)
    assert profile.summary() == Profile.load(profile.dump(), Rules()).summary()
