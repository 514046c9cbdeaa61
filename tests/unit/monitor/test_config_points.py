"""The settings of enforcement points: what is refused, and that no secret is shown."""

from pathlib import Path

import pytest

import monitor.cli  # noqa: F401 # registers the commands
from alerting.ports import RevokeError
from alerting.revoke.contract import order
from monitor import config as settings
from monitor.cli.app import run
from monitor.enforcement import enforcement_points, longest_attempt_s, point_limits, point_names
from monitor.errors import UsageError
from tests.kit.gateway_server import SECRET

WEBHOOK = """
[[points]]
kind = "webhook"
name = "gateway"
url = "https://gateway.example"
secret_variable = "GATEWAY_SECRET"
revoke = { path = "/agents/$agent_id/block" }
restore = { path = "/agents/$agent_id/unblock" }
"""
COMMAND = """
[[points]]
kind = "command"
name = "iam"
timeout_s = 20
revoke = ["iam-block", "--", "$agent_id"]
restore = ["iam-unblock", "--", "$agent_id"]
"""
PLUGIN = """
[[points]]
kind = "plugin"
name = "vault"
plugin = "in-memory"
settings = { url = "https://vault.example" }
"""


def load(tmp_path: Path, text: str) -> settings.Config:
    path = tmp_path / "tripswitch.toml"
    path.write_text(text)
    return settings.load(path)


def test_every_kind_is_opened_under_its_name(
    tmp_path: Path, plugin_package: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_SECRET", SECRET)
    config = load(tmp_path, WEBHOOK + COMMAND + PLUGIN)
    assert list(enforcement_points(config)) == ["gateway", "iam", "vault"]
    assert point_names(config) == ("registry", "gateway", "iam", "vault")
    assert point_limits(config)["iam"].timeout_s == longest_attempt_s(config) == 20
    assert point_limits(config)["gateway"].timeout_s == config.trip.point_timeout_s


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (COMMAND + COMMAND, "two enforcement points are called 'iam'"),
        (COMMAND.replace('"iam"', '"kafka"'), "two enforcement points are called 'kafka'"),
        (COMMAND.replace('"iam"', '"registry"'), "two enforcement points are called 'registry'"),
        (COMMAND.replace('"iam"', '"I am"'), "points.0.command.name"),
        (COMMAND.replace("timeout_s", "timeot_s"), "did you mean 'timeout_s'"),
        (COMMAND.replace('"$agent_id"', '"id=$agent_id"'), "a placeholder is a whole argument"),
        (WEBHOOK.replace("$agent_id", "$agent"), r"unknown placeholder \$agent; there are"),
        (WEBHOOK.replace("$agent_id", "$"), r"write \$\$ for a dollar sign"),
        (WEBHOOK.replace("/agents", "agents"), "is no path such as"),
        (WEBHOOK.replace("/block", "/block?x=y"), "is no path such as"),
        (WEBHOOK.replace("https://", "https://user:pw@"), "is no URL such as"),
        (WEBHOOK.replace("secret_variable", "secret"), "did you mean 'secret_file'"),
        (WEBHOOK.replace('secret_variable = "GATEWAY_SECRET"', ""), "to be signed with"),
        (WEBHOOK.replace('"GATEWAY_SECRET"', '"TRIPSWITCH_SECRET"'), "are settings"),
        (WEBHOOK + 'secret_file = "/x"', "set secret_file or secret_variable, not both"),
        (WEBHOOK + 'verify = { path = "/a" }', "say which field"),
        (WEBHOOK + 'check = { path = "/$agent_id" }', "a check is about no order"),
        (WEBHOOK.replace('block" }', 'block", methd = "PUT" }'), "did you mean 'method'"),
        (
            WEBHOOK.replace('block" }', 'block", headers = { Authorization = "Bearer x" } }'),
            "header Authorization is a secret.*token_file",
        ),
        (
            WEBHOOK.replace('block" }', 'block", headers = { A = "$token" } }'),
            "set token_file or token_variable",
        ),
        (WEBHOOK.replace('block" }', 'block", body = { a = ["$x"] } }'), r"placeholder \$x"),
        (WEBHOOK.replace('block" }', 'block", encoding = "form" }'), "one table of texts"),
        (PLUGIN.replace("url =", "api_key ="), "api_key is a secret"),
    ],
)
def test_what_is_wrong_is_said_at_load(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        load(tmp_path, text)


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        ("in-memry", "no plugin 'in-memry' is installed; did you mean 'in-memory'"),
        ("no-point", "is no enforcement point: it has no check, revoke, restore, verify, close"),
        ("fails", "failed to start with RuntimeError$"),
        ("not-there", "cannot be loaded: AttributeError"),
        ("no-module", "cannot be loaded: ModuleNotFoundError: No module named"),
    ],
)
def test_a_broken_plugin_is_a_clear_error(
    tmp_path: Path, plugin_package: dict[str, str], plugin: str, said: str
) -> None:
    config = load(tmp_path, PLUGIN.replace("in-memory", plugin))
    with pytest.raises(UsageError, match=f"enforcement point vault: .*{said}"):
        enforcement_points(config)


def test_a_plugin_says_what_is_wrong_with_its_settings(
    tmp_path: Path, plugin_package: dict[str, str]
) -> None:
    config = load(tmp_path, PLUGIN.replace("url =", "uri ="))
    with pytest.raises(UsageError, match="plugin in-memory: its settings: url is missing"):
        enforcement_points(config)


def test_a_secret_that_can_be_guessed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_SECRET", "hunter2")
    with pytest.raises(UsageError, match="gateway: the secret that signs has 7 characters") as told:
        enforcement_points(load(tmp_path, WEBHOOK))
    assert "hunter2" not in str(told.value)


def test_an_emergency_goes_on_with_the_other_points(tmp_path: Path) -> None:
    config = load(tmp_path, WEBHOOK + COMMAND)
    with pytest.raises(UsageError, match="gateway: there is no secret in the variable GATEWAY_SEC"):
        enforcement_points(config)
    points = enforcement_points(config, strict=False)
    assert list(points) == ["gateway", "iam"]
    with pytest.raises(RevokeError, match="there is no secret"):
        points["gateway"].revoke(order("revoke", 1, "a"), 1.0)


def test_no_secret_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret-in-file")
    monkeypatch.setenv("GATEWAY_TOKEN", "s3cret-token")
    text = WEBHOOK.replace('secret_variable = "GATEWAY_SECRET"', f'secret_file = "{secret}"')
    path = tmp_path / "tripswitch.toml"
    path.write_text(text + 'token_variable = "GATEWAY_TOKEN"')
    for more in ([], ["--json"]):
        assert run(["config", "--config", str(path), *more]) == 0
        told = capsys.readouterr().out
        assert "gateway.example" in told
        assert "s3cret" not in told


def test_each_point_is_asked_whether_it_could_act(
    tmp_path: Path, plugin_package: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tripswitch.toml"
    path.write_text(COMMAND + PLUGIN)
    assert run(["config", "--points", "--config", str(path)]) == 4
    said = ["iam: there is no program 'iam-block' that can be run", "vault: ready"]
    assert capsys.readouterr().out.splitlines() == said
    path.write_text(PLUGIN)
    assert run(["config", "--points", "--json", "--config", str(path)]) == 0
    assert capsys.readouterr().out == '{"point": "vault", "ready": true, "error": null}\n'
