from pathlib import Path

import pytest

from detectors.finding import Severity
from monitor import config
from monitor.errors import UsageError


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "tripswitch.toml"
    path.write_text(text, "utf-8")
    return path


def test_with_nothing_at_all_the_embedded_default_runs() -> None:
    chosen = config.load()
    assert chosen.source.kind == "log"
    assert chosen.store.url is None
    assert chosen.trip.rules[0].mode == "observe"


def test_the_environment_goes_above_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(
        tmp_path,
        '[kafka]\nbootstrap_servers = "file:9092"\ngroup_id = "g"\n'
        "[budget]\nalerts_per_agent_per_week = 10\n"
        '[[trip.rules]]\nname = "r"\nseverity = "high"\nmode = "enforce"\n',
    )
    monkeypatch.setenv("TRIPSWITCH_KAFKA__BOOTSTRAP_SERVERS", "env:9092")
    monkeypatch.setenv("TRIPSWITCH_BUDGET__ALERTS_PER_AGENT_PER_WEEK", "50")
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", "postgresql+psycopg://u@h/d")
    chosen = config.load(path)
    assert chosen.kafka.bootstrap_servers == "env:9092"
    assert chosen.kafka.group_id == "g"
    assert chosen.budget.alerts_per_agent_per_week == 50
    assert chosen.store.url == "postgresql+psycopg://u@h/d"
    assert chosen.trip.rules[0].severity is Severity.HIGH


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[kafka]\nbootstrap_server = "x"',
            "kafka.bootstrap_server: unknown key; did you mean 'boo",
        ),
        ("[sorce]\nkind = 'log'", "sorce: unknown key; did you mean 'source'?"),
        ("[[trip.rules]]\nname = 'x'\nmdoe = 'enforce'", "did you mean 'mode'?"),
        ("[source]\nkind = 'fax'", "source.kind"),
        ("[source]\nkind = 'kafka'", "set kafka.bootstrap_servers"),
        ("[budget]\nalerts_per_agent_per_week = 0", "budget.alerts_per_agent_per_week"),
        ("[store]\nurl = 'mysql://h/d'", "sqlite and postgresql are supported"),
        ("[store]\nurl = 'nonsense'", "no SQLAlchemy URL"),
        ("[store]\nurl = 'postgresql://u:pw@h/d'", "holds a password"),
        ("[slack]\nbot_token = 'xoxb-1'", "TRIPSWITCH_SLACK__BOT_TOKEN"),
        ("[kafka]\nsasl_password = 'x'", "kafka.sasl_password_file"),
        ("[source]\ntopics = ['b', 'b']", "name each once"),
        ("not toml", "config"),
        (f"a = {'[' * 5000}", "it is nested too deeply"),
        (f"a = {'9' * 5000}", "Exceeds the limit"),
        ("#" * (config.MAX_BYTES + 1), "more than 1048576 bytes; is it the right file?"),
        ('[[receivers]]\nkind = "\\n\\u001b[2J"', r"Input tag '\n\x1b[2J' found"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as error:
        config.load(path)
    assert said in str(error.value)
    assert "xoxb-1" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.toml: No such file"):
        config.load(tmp_path / "nowhere.toml")


@pytest.mark.parametrize("name", ["TRIPSWITCH_BUDGT__X", "TRIPSWITCH_KAFKA__BOOTSTRAP_SERVER"])
def test_a_misspelt_variable_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(UsageError, match="did you mean"):
        config.load()


def test_a_secret_comes_from_a_file_and_is_never_shown(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("xoxb-secret\n")
    chosen = config.load(write(tmp_path, f"[slack]\nbot_token_file = '{secret}'"))
    assert chosen.slack.bot_token is not None
    assert chosen.slack.bot_token.get_secret_value() == "xoxb-secret"
    assert "xoxb-secret" not in repr(chosen) + chosen.model_dump_json()
