import json
from pathlib import Path
from typing import Any

import pytest

from monitor.cli.app import run
from monitor.compare import MAX_LISTED
from tests.kit.events import START_S, raw_event
from tests.kit.stream import odd_stream

EVENTS = 1500
BOUNDARY = '[[boundaries]]\ntools = ["tool-[0-3]"]\nseverity = "critical"\n'
STRICT = "[budget]\nalerts_per_agent_per_week = 0.01\n"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    path.write_bytes(b"\n".join(odd_stream(EVENTS)) + b"\n")
    return path


def settings(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def compare(
    capsys: pytest.CaptureFixture[str], log: Path, a: Path, b: Path, *more: object
) -> dict[str, Any]:
    words = ["replay", log, "--compare", a, b, "--json", *more]
    assert run([str(word) for word in words]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    document: dict[str, Any] = json.loads(told.out)
    return document


def test_it_says_what_each_would_have_raised_and_tripped(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = settings(tmp_path, "a.toml", STRICT)
    rule = '[[trip.rules]]\nname = "cut"\nmode = "enforce"\n'
    b = settings(tmp_path, "b.toml", STRICT + BOUNDARY + rule)
    told = compare(capsys, log, a, b)
    assert told["events"] + told["rejected"] == len(odd_stream(EVENTS))
    assert told["agents"] == 7
    one, two = told["a"], told["b"]
    assert "boundary" not in one["by_detector"]
    assert two["by_detector"]["boundary"]["critical"] > 10
    assert one["trips"] == 0
    assert two["trips"] > 0
    for side in (one, two):
        by_detector = sum(sum(counts.values()) for counts in side["by_detector"].values())
        assert side["anomalies"] == by_detector == sum(side["by_severity"].values())
        assert sum(side["by_agent"].values()) == side["anomalies"]
        assert side["runs_alarmed"] <= side["anomalies"]
        assert side["share_of_runs"] == pytest.approx(side["runs_alarmed"] / told["runs"], abs=1e-6)
        assert side["alerts_capped"] == 0
    only = told["only_in_b"]
    assert told["in_both"] + only["anomalies"] == two["anomalies"]
    assert told["in_both"] + told["only_in_a"]["anomalies"] == one["anomalies"]
    assert 0 < len(only["first"]) <= MAX_LISTED
    assert only["first"][0].keys() >= {"anomaly_id", "time", "agent_id", "detector", "severity"}


def test_the_same_settings_differ_in_nothing_and_the_answer_is_the_same_twice(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = settings(tmp_path, "a.toml", "[budget]\nalerts_per_agent_per_week = 10\n")
    first = compare(capsys, log, a, a, "--partitions", 3)
    assert first == compare(capsys, log, a, a, "--partitions", 3)
    assert first["a"] == first["b"]
    assert first["only_in_a"]["anomalies"] == first["only_in_b"]["anomalies"] == 0
    words = ["replay", str(log), "--config", str(a), "--partitions", "3", "--json"]
    assert run(words) == 0
    alone = json.loads(capsys.readouterr().out)
    for key in ("anomalies", "alerts", "alerts_capped"):
        assert alone[key] == first["a"][key]


def test_the_table_shows_no_escape_of_an_event(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "events.jsonl"
    odd = "t\x1b[31m\u202e[red]"
    lines = [raw_event(n, START_S + n, tool=odd, agent_id=f"a\x1b]0;x\x07{n}") for n in range(30)]
    log.write_bytes(b"\n".join(lines))
    a, b = settings(tmp_path, "a.toml", ""), settings(tmp_path, "b.toml", BOUNDARY)
    assert run(["replay", str(log), "--compare", str(a), str(b)]) == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "\u202e" not in told
    assert "boundary" in told
    assert "20 more: --json" in told


def test_files_are_refused_beside_a_comparison(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = settings(tmp_path, "a.toml", "")
    words = ["replay", str(log), "--compare", str(a), str(a), "--out", str(tmp_path / "x")]
    assert run(words) == 2
    assert "leave --out" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
    wrong = settings(tmp_path, "wrong.toml", "[budgets]\n")
    assert run(["replay", str(log), "--compare", str(a), str(wrong)]) == 2
    assert "wrong.toml" in capsys.readouterr().err
