"""`tripswitch doctor`, where neither Kafka nor a database server is needed."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

import monitor.cli  # noqa: F401 # registers the commands
from baselines.event import ActionEvent
from monitor.checkup import Verdict
from monitor.checkup.clock import clock
from monitor.checkup.sample import Message, judge
from monitor.cli.app import run
from monitor.mapping import plain
from monitor.producers import Producer, Producers
from monitor.sources.partition import partition_for
from tests.kit.events import raw_event
from tests.kit.signing import signed
from tests.kit.slack_server import APP_TOKEN, CHANNEL, TOKEN, Answer, SlackServer


def doctor(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and the verdicts by what they are about; of several the worst."""
    code = run(["doctor", "--json", *arguments])
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    order = ["ok", "warning", "failed"]
    return code, {one["about"]: one for one in sorted(told, key=lambda o: order.index(o["state"]))}


def test_the_embedded_default_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = doctor(capsys)
    assert code == 0
    store = next(one for about, one in told.items() if about.startswith("store sqlite"))
    assert store["state"] == "ok"
    assert "no daemon has used it yet" in store["text"]
    assert run(["doctor"]) == 0
    assert "  -> nothing, if its writer has not begun" in capsys.readouterr().out


def test_each_fault_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", f"sqlite:///{file}/ledger.db")
    settings = tmp_path / "tripswitch.toml"
    settings.write_text(
        f'[source]\npath = "{tmp_path}"\n[slack]\nchannel = "C1"\n'
        '[[points]]\nkind = "command"\nname = "iam"\nrevoke = ["/no/such"]\n'
        'restore = ["/no/such"]\ncheck = ["/no/such"]\n'
    )
    code, told = doctor(capsys, "--config", str(settings))
    assert code == 4
    for about in (f"log {tmp_path}", "store", "slack", "point iam"):
        assert told[about]["state"] == "failed", about
        assert told[about]["advice"], about


def settle_slack(slack: SlackServer, monkeypatch: pytest.MonkeyPatch, channel: str) -> None:
    monkeypatch.setenv("TRIPSWITCH_SLACK__API_URL", slack.url)
    monkeypatch.setenv("TRIPSWITCH_SLACK__CHANNEL", channel)
    monkeypatch.setenv("TRIPSWITCH_SLACK__BOT_TOKEN", TOKEN)
    monkeypatch.setenv("TRIPSWITCH_SLACK__APP_TOKEN", APP_TOKEN)


def test_slack_is_asked_and_nothing_is_posted(
    slack: SlackServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settle_slack(slack, monkeypatch, CHANNEL)
    code, told = doctor(capsys)
    assert code == 0
    assert told["slack token"]["text"] == "of tripswitch in tests"
    assert told[f"slack channel {CHANNEL}"]["state"] == "ok"
    assert told["slack app token"]["state"] == "ok"
    assert told["slack people"]["state"] == "warning"
    assert told["clock"]["state"] == "ok"
    assert not slack.accepted


@pytest.mark.parametrize(
    ("channel", "headers", "about", "said"),
    [
        ("C404", {}, "slack channel C404", "channel_not_found"),
        (CHANNEL, {"x-oauth-scopes": "chat:write"}, "slack scopes", "missing: channels:history"),
    ],
)
def test_what_slack_lacks_is_named(
    slack: SlackServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    channel: str,
    headers: dict[str, str],
    about: str,
    said: str,
) -> None:
    settle_slack(slack, monkeypatch, channel)
    if headers:
        body = json.dumps({"ok": True, "team": "t", "user": "u"})
        slack.script.append(Answer(body=body, headers=headers))
    _, told = doctor(capsys)
    assert said in told[about]["text"]
    assert told[about]["advice"]


def test_a_wrong_token_ends_the_questions_and_is_not_shown(
    slack: SlackServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settle_slack(slack, monkeypatch, CHANNEL)
    monkeypatch.setenv("TRIPSWITCH_SLACK__BOT_TOKEN", "xoxb-wrong-one")
    code, told = doctor(capsys)
    assert code == 4
    assert "the bot token is wrong" in told["slack token"]["text"]
    assert "xoxb-wrong-one" not in json.dumps(told)


def judged(*messages: Message) -> list[Verdict]:
    return list(judge(messages, lambda raw, at=None, _key=None: ActionEvent.parse(raw, at)))


def test_equal_faults_of_a_sample_count_together() -> None:
    bad = [Message(raw_event(n, time=f"yesterday {n}"), None) for n in range(3)]
    told = judged(Message(raw_event(1, role="r"), None), *bad, Message(b"{", None))
    assert told[0].text == "5 messages: 1 events, 4 refused"
    refused = [one.text for one in told if one.state == "failed"]
    assert refused[0].startswith("3 refused: time: must be an RFC 3339 time")
    assert refused[1].startswith("1 refused: record: Invalid JSON")
    assert [one.text for one in told if one.about == "sample fields"] == ["no event has status"]


def test_impostors_of_a_sample_are_said_apart() -> None:
    producers = Producers([Producer("p", ("payroll-*",), ("t",), {"k": b"secret-of-payroll"})])
    one, two = raw_event(1, role="r", status="ok"), raw_event(2)
    messages = [
        Message(one, None, source="t", headers=signed(one, "k", b"secret-of-payroll")),
        Message(two, None, source="t"),
        Message(raw_event(3), None, source="t", headers=signed(one, "k", b"secret-of-payroll")),
        Message(raw_event(4, agent_id="x"), None, source="t"),
        Message(b"{", None, source="t"),
    ]
    told = list(judge(messages, plain, producers))
    assert told[0].text == "5 messages: 1 events, 4 refused"
    assert {one.text.split(" (got")[0] for one in told if one.about == "sample producers"} == {
        "1 refused: not signed, as events of this agent have to be",
        "1 refused: the signature does not fit the record",
        "1 refused: no producer may speak for this agent here",
    }


@pytest.mark.parametrize(
    ("key", "said"),
    [(b"conversation-7", "key the producer's records"), (b"a", "another partitioner"),
     (None, "key the producer's records")],
)  # fmt: skip
def test_keys_that_are_no_agent_ids_are_said(key: bytes | None, said: str) -> None:
    belongs = partition_for("a", 4)
    here = Message(raw_event(1, agent_id="a"), None, key, belongs, 4)
    there = here._replace(partition=(belongs + 1) % 4)
    assert not [one for one in judged(here) if one.about == "sample keys"]
    (told,) = [one for one in judged(here, there) if one.about == "sample keys"]
    assert "1 of 2 events" in told.text
    assert said in told.advice


def test_the_end_of_a_log_is_the_sample(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "events.jsonl"
    log.write_bytes(b"\n".join(raw_event(n) for n in range(150)) + b"\nnot one\n")
    monkeypatch.setenv("TRIPSWITCH_SOURCE__PATH", str(log))
    code, told = doctor(capsys, "--sample")
    assert code == 4
    assert "1 refused: record: Invalid JSON" in told["sample"]["text"]
    assert os.listdir(tmp_path) == ["events.jsonl"] or "state" in os.listdir(tmp_path)


def test_clocks_that_differ_are_said() -> None:
    assert clock(0.5, "x").state == "ok"
    assert "-90.0 s" in clock(90.0, "the database's").text
