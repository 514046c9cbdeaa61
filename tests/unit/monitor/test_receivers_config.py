import io
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from monitor.config import Config
from monitor.errors import UsageError
from monitor.receivers import lease_s, open_receivers
from monitor.routing import routing
from tests.kit.slack_server import TOKEN


def config(*, terminal: bool = True, **slack: Any) -> Config:
    return Config.model_validate({"alerts": {"terminal": terminal}, "slack": slack})


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        (config(), ("terminal",)),
        (config(channel="C1", bot_token=TOKEN), ("terminal", "slack")),
        (config(terminal=False, channel="C1", bot_token=TOKEN), ("slack",)),
        (config(terminal=False), ()),
        (config(bot_token=TOKEN), ("terminal",)),
    ],
)
def test_the_settings_name_the_receivers(settings: Config, names: tuple[str, ...]) -> None:
    assert tuple(routing(settings)) == names
    assert tuple(receiver.name for receiver in open_receivers(settings, io.StringIO())) == names


def test_a_missing_token_says_where_to_put_it() -> None:
    for settings in (config(channel="C1"), config(channel="C1", bot_token=SecretStr(" \n"))):
        with pytest.raises(UsageError, match=r"TRIPSWITCH_SLACK__BOT_TOKEN.*slack\.bot_token_file"):
            open_receivers(settings, io.StringIO())


@pytest.mark.parametrize("token", [f"{TOKEN}\nsecond line", f"{TOKEN}€"])
def test_an_unusable_token_is_refused_and_not_quoted(token: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_receivers(config(channel="C1", bot_token=token), io.StringIO())
    assert "SECRET" not in str(caught.value)


def test_a_url_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"slack\.api_url"):
        open_receivers(
            config(channel="C1", bot_token=TOKEN, api_url=f"file://{tmp_path}"), io.StringIO()
        )


def test_a_lease_outlasts_the_time_limit() -> None:
    assert lease_s(config(timeout_s=120.0)) > 120.0


def test_a_lease_outlasts_the_slowest_receiver() -> None:
    slow = {"kind": "plugin", "name": "slow", "plugin": "pager", "timeout_s": 90.0}
    settings = Config.model_validate({"receivers": [slow], "slack": {"timeout_s": 5.0}})
    assert lease_s(settings) > 90.0
    assert routing(settings).names == ("terminal", "slow")


@pytest.mark.parametrize(
    ("plugin", "given", "why"),
    [
        ("pager", {}, "its settings: url is missing"),
        ("no-receiver", {}, "is no receiver: it has no send, close"),
        ("paper", {}, r"no plugin 'paper' is installed.*did you mean 'pager'\?"),
    ],
)
def test_a_plugin_that_cannot_be_had_is_said(
    plugin_package: dict[str, str], plugin: str, given: dict[str, str], why: str
) -> None:
    wanted = {"kind": "plugin", "name": "chat", "plugin": plugin, "settings": given}
    with pytest.raises(UsageError, match=f"receiver chat: .*{why}"):
        open_receivers(Config.model_validate({"receivers": [wanted]}), io.StringIO())
