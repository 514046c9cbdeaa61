import json
from pathlib import Path

import pytest

from monitor import config
from monitor.cli.app import run
from monitor.errors import UsageError
from monitor.routing import fallback, routing, told_of_order

TOML = """
[alerts]
fallback = "terminal"

[kafka]
bootstrap_servers = "localhost:9092"

[[receivers]]
kind = "kafka"
name = "soc"

[[routes]]
name = "payroll"
roles = "payroll"
severity = "high"
receivers = "soc"
continue = true

[[routes]]
owners = ["team-*"]
kinds = ["alerts", "trips"]
receivers = ["terminal", "soc"]

[[owners]]
name = "team-payments"
roles = ["payroll"]
agents = ["ledger-?"]
slack = "S0123ABC"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "tripswitch.toml"
    made.write_text(TOML)
    return made


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["routes", *arguments]) == 0
    return capsys.readouterr().out


def test_the_routes_are_listed(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "--config", str(path)).splitlines() == [
        "payroll: high or worse; roles payroll -> soc, and on to the next",
        "route 2: owners team-*; kinds alerts, trips -> terminal, soc",
        "anything else -> terminal",
        "owner team-payments: role payroll, ledger-?",
    ]
    first, second, rest, owner = map(
        json.loads, said(capsys, "--json", "--config", str(path)).splitlines()
    )
    assert (first["route"], first["continue"], first["receivers"]) == ("payroll", True, ["soc"])
    assert second["owners"] == ["team-*"]
    assert (rest["route"], rest["receivers"]) == (None, ["terminal"])
    assert owner["owner"] == "team-payments"


def test_without_routes_everything_goes_to_everyone(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys) == "everything -> terminal\n"
    assert "there are no routes" in said(capsys, "test", "--severity", "critical")


@pytest.mark.parametrize(
    ("arguments", "receivers", "routes", "owner"),
    [
        ("--severity critical --role payroll", ["soc", "terminal"], ["payroll", "route 2"],
         "team-payments"),
        ("--severity medium --role payroll", ["terminal", "soc"], ["route 2"], "team-payments"),
        ("--agent ledger-1 --kind trips", ["terminal", "soc"], ["route 2"], "team-payments"),
        ("--agent ledger-1 --kind digest", ["terminal"], [], "team-payments"),
        ("--agent crawler-1 --detector loop --data-class restricted", ["terminal"], [], None),
        ("--agent crawler-1 --owner team-x", ["terminal", "soc"], ["route 2"], "team-x"),
    ],
)  # fmt: skip
def test_where_an_alert_would_go_is_said(
    path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    receivers: list[str],
    routes: list[str],
    owner: str | None,
) -> None:
    told = json.loads(said(capsys, "test", *arguments.split(), "--config", str(path), "--json"))
    assert (told["receivers"], told["routes"], told["owner"]) == (receivers, routes, owner)
    words = said(capsys, "test", *arguments.split(), "--config", str(path))
    assert words.startswith(f"goes to {', '.join(receivers)}\n  because {told['reason']}\n")
    assert (owner or "nobody is named") in words


@pytest.mark.parametrize(
    ("option", "value", "meant"),
    [("--severity", "critcal", "critical"), ("--kind", "trip", "trips"),
     ("--data-class", "restrictd", "restricted")],
)  # fmt: skip
def test_a_word_that_is_none_is_refused(
    capsys: pytest.CaptureFixture[str], option: str, value: str, meant: str
) -> None:
    assert run(["routes", "test", option, value]) == 2
    assert f"did you mean '{meant}'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ('[[routes]]\nreceivers = "sco"', r"route 3 names 'sco'.*mean 'soc'\?.*terminal, soc"),
        ("[[routes]]\nreceivers = []", r"receivers"),
        ('[[routes]]\nname = "payroll"\nreceivers = "soc"', "two routes are called 'payroll'"),
        ('[[owners]]\nname = "team-payments"\nroles = "x"', "two owners are called"),
        ('[[owners]]\nname = "nobody"', "owner 'nobody' owns nothing"),
        ('[[owners]]\nname = "x"\nroles = "x"\nslack = "@oncall"', "slack"),
        ('[[routes]]\nreceivers = "soc"\ncontinu = true', r"unknown key.* mean 'continue'\?"),
        ('[[receivers]]\nkind = "kafka"\nname = "soc"', "two receivers are called 'soc'"),
        ('[[receivers]]\nkind = "kafka"\nname = "slack"', "two receivers are called 'slack'"),
    ],
)  # fmt: skip
def test_what_leads_nowhere_is_refused(path: Path, more: str, why: str) -> None:
    path.write_text(f"{TOML}\n{more}\n")
    with pytest.raises(UsageError, match=why):
        config.load(path)


def test_the_settings_become_a_routing(path: Path) -> None:
    chosen = config.load(path)
    made = routing(chosen)
    assert made.names == ("terminal", "soc")
    assert made.owners[0].slack == "S0123ABC"
    assert fallback(chosen) == ("terminal",)
    assert fallback(config.Config()) == ("terminal",)
    assert told_of_order(chosen, role="payroll") == ["soc", "terminal"]
    assert told_of_order(chosen, agent_id="ledger-1") == ["terminal", "soc"]
    assert told_of_order(chosen) == ["terminal"]


def test_a_topic_needs_a_cluster(tmp_path: Path) -> None:
    path = tmp_path / "no-kafka.toml"
    path.write_text('[[receivers]]\nkind = "kafka"\nname = "soc"\n')
    with pytest.raises(UsageError, match=r"receiver soc is a topic: set kafka\.bootstrap_servers"):
        config.load(path)
