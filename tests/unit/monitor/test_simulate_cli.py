import json
from pathlib import Path

import pytest

import monitor.cli  # noqa: F401  registers the commands
from baselines.event import ActionEvent
from monitor.cli.app import run


def events(path: Path) -> list[ActionEvent]:
    return [ActionEvent.parse(line) for line in path.read_bytes().splitlines()]


def test_a_file_a_truth_and_a_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, truth = tmp_path / "events.jsonl", tmp_path / "truth.jsonl"
    code = run(
        ["simulate", "--agents", "6", "--duration", "12h", "--incident", "hijack@+9h",
         "--out", str(out), "--truth", str(truth), "--json"]
    )  # fmt: skip
    assert code == 0
    summary = json.loads(capsys.readouterr().out)
    told = [json.loads(line) for line in truth.read_text().splitlines()]
    ids = {event.event_id for event in events(out)}
    assert summary["events"] == len(ids)
    assert summary["incidents"] == {"hijack-1": len(told)}
    assert {line["event_id"] for line in told} <= ids
    assert summary["first"] > "2026-02-02T00:00" < summary["last"] < "2026-02-02T12:00"


def test_the_same_command_line_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        arguments = ["simulate", "--duration", "3h", "--seed", "5", "--out", str(tmp_path / name)]
        assert run(arguments) == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() != b""


def test_standard_output_holds_events_alone(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["simulate", "--duration", "2h", "--agents", "4"]) == 0
    captured = capfdbinary.readouterr()
    lines = captured.out.splitlines()
    assert all(ActionEvent.parse(line) for line in lines)
    assert captured.err.startswith(b"%d events" % len(lines))


def test_an_incident_at_a_named_time_for_a_named_agent(tmp_path: Path) -> None:
    out, truth = tmp_path / "e", tmp_path / "t"
    arguments = ["simulate", "--out", str(out), "--truth", str(truth), "--start", "2026-03-01"]
    arguments += ["--incident", "runaway-loop:coding-02@2026-03-01T20:00"]
    assert run(arguments) == 0
    told = [json.loads(line) for line in truth.read_text().splitlines()]
    assert {line["agent_id"] for line in told} == {"coding-02"}
    assert min(line["time"] for line in told) == "2026-03-01T20:00:00+00:00"


def test_the_gateway_refuses_an_agent_whose_grants_are_revoked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from monitor.config import StoreConfig
    from monitor.simulate import Fleet
    from monitor.simulate.gateway import RegistryGateway
    from monitor.store import Store, schema

    url = f"sqlite:///{tmp_path}/ledger.db"
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", url)
    store = Store.open(StoreConfig(url=url))
    RegistryGateway(store).enrol(Fleet(1, 6, 0.0).scopes(), 1.0)
    of_support = schema.grants.c.agent_id == "support-01"
    with store.ledger() as connection:
        connection.execute(schema.grants.update().where(of_support).values(revoked_at=2.0))
    store.close()
    out = tmp_path / "events.jsonl"
    arguments = ["simulate", "--gateway", "--agents", "6", "--duration", "9h", "--out", str(out)]
    assert run(arguments) == 0
    status: dict[str, set[str]] = {}
    for event in events(out):
        status.setdefault(event.agent_id, set()).add(event.status)
    assert status.pop("support-01") == {"denied"}
    assert "denied" not in set().union(*status.values())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--incident", "hijack"], "write KIND@WHEN"),
        (["--incident", "coup@+2h"], "'coup': one of hijack"),
        (["--incident", "hijack@noon"], "'noon' is no time"),
        (["--incident", "hijack@+2d"], "outside the simulated time"),
        (["--incident", "hijack:ann@+2h"], "no agent 'ann'"),
        (["--duration", "long"], "'long' is no duration"),
        (["--duration", "0s"], "'0s' is no duration"),
        (["--start", "soon"], "'soon' is no time"),
        (["--kafka"], "set kafka.bootstrap_servers"),
        (["--rate", "5", "--speed", "2"], "--rate and --speed"),
        (["--out", "-", "--json"], "--json prints its summary on stdout"),
        (["--agents", "0"], "--agents"),
    ],
)
def test_wrong_usage_is_named_in_one_line(
    arguments: list[str], said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if "--out" not in arguments and "--kafka" not in arguments:
        arguments = [*arguments, "--out", str(tmp_path / "e")]
    assert run(["simulate", *arguments]) == 2
    captured = capfd.readouterr()
    assert said in " ".join(captured.err.split())
    assert captured.out == ""
    assert "Traceback" not in captured.err
