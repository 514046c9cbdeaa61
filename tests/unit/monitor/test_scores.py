import json
from pathlib import Path
from typing import Any

import pytest

from monitor.cli.app import run
from tests.kit.stream import odd_stream

EVENTS = 1500
BOUNDARY = '[[boundaries]]\ntools = ["tool-[0-3]"]\nmode = "{mode}"\n'


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(odd_stream(EVENTS)) + b"\n")
    return path


def judgements(log: Path, *arguments: object) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The lines of scores, and the anomalies of the same replay."""
    scores, out = log.with_name("s.jsonl"), log.with_name("a.jsonl")
    words = ["replay", log, "--scores", scores, "--out", out, "--json", *arguments]
    assert run([str(word) for word in words]) == 0
    read = [path.read_text().splitlines() for path in (scores, out)]
    return [json.loads(line) for line in read[0]], [json.loads(line) for line in read[1]]


def test_every_judgement_is_a_line(log: Path) -> None:
    rows, anomalies = judgements(log)
    assert {row["judge"] for row in rows} >= {"run", "rhythm", "silence"}
    for row in rows:
        assert row.keys() == {
            "event_id", "agent_id", "time", "run", "judge", "score", "p_value", "calibrated",
            "alarmed",
        }  # fmt: skip
        assert row["p_value"] is None or 0 <= row["p_value"] <= 1
        assert row["score"] is None or row["score"] >= 0
        assert row["p_value"] is not None or row["calibrated"] is not True
    alarmed = {row["event_id"] for row in rows if row["alarmed"]}
    assert {anomaly["event_id"] for anomaly in anomalies} <= alarmed


def test_a_calibrated_score_has_the_p_value_of_the_past(log: Path) -> None:
    rows, _ = judgements(log)
    runs = [row for row in rows if row["judge"] == "run"]
    known = [row["calibrated"] for row in runs if row["agent_id"] == "agent-1"]
    assert known == sorted(known), "uncalibrated at first, calibrated from then on"
    assert not known[0]
    assert known[-1]
    assert all(row["p_value"] is None for row in runs if not (row["calibrated"] or row["alarmed"]))


@pytest.mark.parametrize("mode", ["alert", "shadow"])
def test_a_declared_rule_has_a_line_where_it_fired(log: Path, tmp_path: Path, mode: str) -> None:
    config = tmp_path / "c.toml"
    config.write_text(BOUNDARY.format(mode=mode))
    rows, _ = judgements(log, "--config", config)
    fired = [row for row in rows if row["judge"] == "boundary"]
    assert fired
    for row in fired:
        assert (row["score"], row["p_value"], row["calibrated"]) == (None, None, None)
        assert row["alarmed"] is (mode == "alert")


def test_to_look_on_changes_nothing(log: Path, tmp_path: Path) -> None:
    first = judgements(log, "--partitions", 2)
    assert judgements(log, "--partitions", 2) == first
    plain = tmp_path / "plain.jsonl"
    assert run(["replay", str(log), "--partitions", "2", "--out", str(plain)]) == 0
    assert [json.loads(line) for line in plain.read_text().splitlines()] == first[1]
