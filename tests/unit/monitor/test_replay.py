import gzip
import json
from pathlib import Path

import pytest

from baselines.event import MAX_MESSAGE_BYTES
from monitor.cli.app import run
from monitor.replay import read_lines
from tests.kit.events import raw_event
from tests.kit.stream import odd_stream

FIELDS = {
    "anomaly_id", "event_id", "agent_id", "trace_id", "time", "detector", "severity", "p_value",
    "observed", "expected", "unit", "threshold", "text",
}  # fmt: skip


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl.gz"
    with gzip.open(path, "wb") as file:
        file.write(b"\n".join(odd_stream()) + b"\n")
    return path


def replay(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, float]:
    assert run(["replay", *map(str, arguments), "--json"]) == 0
    told = capsys.readouterr()
    assert told.err == "", "no bar where there is no terminal"
    summary: dict[str, float] = json.loads(told.out)
    return summary


def test_it_says_what_it_counted(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, rejected = tmp_path / "a.jsonl", tmp_path / "r.jsonl"
    summary = replay(capsys, log, "--out", out, "--rejected", rejected)
    anomalies = [json.loads(line) for line in out.read_text().splitlines()]
    refused = [json.loads(line) for line in rejected.read_text().splitlines()]
    assert summary["events"] + summary["rejected"] == len(odd_stream())
    assert summary["rejected"] == len(refused) > 0
    assert summary["anomalies"] == len(anomalies) == len({a["anomaly_id"] for a in anomalies}) > 0
    assert summary["agents"] == 7
    assert 0 < summary["alerts"] <= summary["anomalies"]
    assert {"would_be_trips", "seconds", "events_per_second"} <= summary.keys()
    assert all(anomaly.keys() >= FIELDS for anomaly in anomalies)
    assert all(r["reason"] and r["line"] and r["raw"] for r in refused)


def test_two_replays_are_identical_to_the_byte(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        replay(capsys, log, "--out", tmp_path / name, "--partitions", 3)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_it_has_no_side_effects(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    replay(capsys, log)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_trip_is_counted_as_one_that_would_have_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "events.jsonl"
    log.write_bytes(b"".join(raw_event(n, tool=f"bad-{n}") + b"\n" for n in range(5)))
    limits = '[{"roles": [], "tools": ["read_*"], "severity": "critical"}]'
    monkeypatch.setenv("TRIPSWITCH_BOUNDARIES", limits)
    summary = replay(capsys, log)
    assert (summary["anomalies"], summary["alerts"], summary["would_be_trips"]) == (5, 1, 1)


def test_what_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake = tmp_path / "fake.jsonl.gz"
    fake.write_bytes(b"no gzip at all")
    assert run(["replay", str(fake)]) == 4
    assert "fake.jsonl.gz: Not a gzipped file" in capsys.readouterr().err
    assert run(["replay", str(tmp_path / "nowhere.jsonl")]) == 4
    assert "nowhere.jsonl: No such file" in capsys.readouterr().err
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    assert replay(capsys, empty)["events"] == 0


def test_a_monstrous_line_is_refused_and_not_kept(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    log.write_bytes(b"x" * (5 * MAX_MESSAGE_BYTES) + b"\n" + raw_event(1) + b"\n" + raw_event(2))
    lines = list(read_lines(log))
    assert [len(line) > MAX_MESSAGE_BYTES for line in lines] == [True, False, False]
    assert len(lines[0]) < 2 * MAX_MESSAGE_BYTES
    assert lines[1:] == [raw_event(1), raw_event(2)]
