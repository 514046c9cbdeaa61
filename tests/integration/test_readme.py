"""From a topic with messages of another form to an alert in Slack, by the README's own text."""

import json
import re
import time
from pathlib import Path

import pytest
from kafka import KafkaProducer  # type: ignore[import-untyped]

from tests.kit.broker import Broker
from tests.kit.daemon import Daemon, tripswitch
from tests.kit.slack_server import CHANNEL, TOKEN, SlackServer

pytestmark = pytest.mark.service

README = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)


def block(*words: str) -> str:
    (found,) = [one for one in BLOCKS if all(word in one for word in words)]
    return str(found)


def message(agent: str, turn: int, to: str) -> bytes:
    """As the README's map reads it."""
    said = {
        "type": "tool",
        "actor": {"id": agent},
        "ts": int(time.time() * 1000),
        "attributes": {"gen_ai.tool.name": "send_email"},
        "args": [{"to": to}],
        "code": 200,
        "session": "s-1",
        "turn": turn,
    }
    return json.dumps(said).encode()


def test_the_readme_s_way_leads_to_slack(
    kafka: Broker, topic: str, slack: SlackServer, tmp_path: Path
) -> None:
    connect, mapped, allowed = (
        block("[source]", "[kafka]", "[slack]"),
        block("[source.map]"),
        block("[agents]", "[[boundaries]]", "declared"),
    )
    assert len([line for line in connect.splitlines() if line]) <= 7  # a header is no setting
    for was, becomes in (
        ('"agent-actions"', f'"{topic}"'),
        ('"broker-1:9092,broker-2:9092"', f'"{kafka.bootstrap_servers}"'),
        ('"C0123456789"', f'"{CHANNEL}"'),
    ):
        assert was in connect
        connect = connect.replace(was, becomes)
    file = tmp_path / "tripswitch.toml"
    file.write_text("\n".join([connect, mapped, allowed.replace('mode = "shadow"', "")]))
    settings = {
        "TRIPSWITCH_CONFIG": str(file),
        "TRIPSWITCH_SLACK__BOT_TOKEN": TOKEN,
        "TRIPSWITCH_SLACK__API_URL": slack.url,
        "TRIPSWITCH_KAFKA__GROUP_ID": topic,
        "TRIPSWITCH_KAFKA__DEAD_LETTER_TOPIC": f"{topic}-dead",
        "TRIPSWITCH_KAFKA__REVOCATIONS_TOPIC": f"{topic}-revocations",
        "TRIPSWITCH_KAFKA__AUDIT_TOPIC": f"{topic}-audit",
        "XDG_STATE_HOME": str(tmp_path),
    }
    sample = tmp_path / "sample.json"
    sample.write_bytes(message("payroll-1", 0, "ada@corp.example"))
    assert "tripswitch map test sample.json" in README
    code, (tried,), _ = tripswitch(settings, "map", "test", str(sample), "--json")
    assert code == 0
    assert tried["event"]["tool"] == "send_email"

    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    producer.send(topic, message("payroll-1", 1, "ada@corp.example"), b"payroll-1")
    producer.send(topic, message("intruder-9", 2, "x@mailbox.example"), b"intruder-9")
    producer.flush()
    producer.close()
    assert "tripswitch doctor" in README
    code, told, _ = tripswitch(settings, "doctor", "--sample", "--json")
    assert code == 0, told
    assert [one["text"] for one in told if one["about"] == "sample"] == [
        "2 messages: 2 events, 0 refused"
    ]
    daemon = Daemon(tmp_path, settings)
    daemon.start()
    daemon.wait_for(lambda: any("intruder-9" in json.dumps(m) for m in slack.messages.values()))
    assert daemon.stop() == 0
