import pytest

from baselines.effect import EffectMap
from tests.kit.events import event


@pytest.mark.parametrize(
    ("tool", "effect"),
    [
        ("get_sent_emails", "read"),
        ("send_email", "external"),
        ("deleteBranch", "destructive"),
        ("s3:PutObject", "write"),
        ("S3.DeleteObject", "destructive"),
        ("user_account_update", "write"),
        ("frobnicate", "unknown"),
    ],
)
def test_the_verb_in_the_name_tells(tool: str, effect: str) -> None:
    assert EffectMap().of(event(1, tool=tool)) == effect


def test_the_action_tells_where_the_tool_does_not() -> None:
    assert EffectMap().of(event(1, tool="frobnicate", action="delete")) == "destructive"
    assert EffectMap().of(event(1, tool=None, action="login")) == "read"


def test_reported_goes_above_configured_goes_above_inferred() -> None:
    effects = EffectMap({"send_email": "read"})
    assert effects.of(event(1, tool="send_email")) == "read"
    assert effects.of(event(1, tool="send_email", effect="write")) == "write"


def test_endless_new_names_do_not_grow_it_without_end() -> None:
    effects = EffectMap()
    for number in range(10_000):
        effects.of(event(1, tool=f"tool-{number}"))
    assert len(effects._cache) <= 4096
