"""A person says that it was as it should be: the profile learns exactly that, in its place."""

import json
from pathlib import Path
from typing import Any

import pytest

from alerting.trip_policy import Guards
from baselines.profile import Profile, Rules
from detectors.finding import Anomaly, Severity
from monitor import teaching
from monitor.cli.app import run
from monitor.directives import KINDS
from monitor.ledger import alerts, intake, mutes
from monitor.ledger.directives import Directive
from monitor.ledger.response import Response
from monitor.store import Store
from tests.kit.anomalies import anomaly
from tests.kit.events import START_S
from tests.kit.stream import odd_stream
from tests.unit.monitor.test_worker import drain, make

RESPONSE = Response([], Guards(), ["terminal"], ["registry"], quiet_s=3600.0)


@pytest.fixture(autouse=True)
def at_the_command_line(store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands use the same store."""
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", store_url)


def odd(name: str = "a1", **fields: Any) -> Anomaly:
    values = {"detector": "new_target", "calibration": "calibrated", "held": "run", "subject": "s"}
    return anomaly(name, **{**values, **fields})


def spike(name: str = "s1", **fields: Any) -> Anomaly:
    about = {"detector": "call_rate", "held": "window", "subject": "calls/3600s", "observed": 90.0}
    return odd(name, **{**about, **fields})


def record(store: Store, *found: Anomaly, at_s: float = START_S) -> str:
    with store.ledger() as ledger:
        intake.record(ledger, found, RESPONSE, at_s)
        return alerts.latest(ledger, [found[0].agent_id])[found[0].agent_id].alert_id


def directive(lessons: teaching.Lessons) -> Directive:
    doc = teaching.write(lessons)
    return Directive(1, "a", "expect", "os:ann", "r", START_S, "log", 0, 7, None, doc)


def test_lessons_are_what_the_anomalies_were_about() -> None:
    found = [odd(), odd("a2"), spike(), spike("s2", observed=120.0), odd("h", held="hour")]
    found.append(odd("l", held="streak", observed=40.0, detector="loop"))
    lessons = teaching.of(found, None)
    assert [(step.tool, step.target) for step in lessons.steps] == [
        ("send_email", "mallory@example.net")
    ]
    assert lessons.levels == ((1, 0, 120.0),)
    assert lessons.streaks == (40,)
    assert teaching.of(found, "terms").levels == ()
    assert teaching.of(found, "level").steps == ()
    assert teaching.read(teaching.write(lessons)) == lessons
    assert "120 calls in 3600 s" in lessons.words()


def test_what_is_taught_is_beyond_surprise_and_survives_a_dump() -> None:
    profile = Profile("a", Rules())
    for tool in ("read_ledger", "list_files"):
        profile.work.habits.tools.adopt(tool)
        profile.work.habits.together.take([tool, "other"])
    step = teaching.of([odd(target_origin="tool", target_source="inbox")], None).steps[0]
    profile.work.told[step.tool, step.target] = None
    lessons = teaching.Lessons((step,), ((1, 0, 90.0),), (40,))
    KINDS["expect"](profile, directive(lessons))
    assert profile.work.habits.knows(step)
    assert not profile.work.tells_again(step)
    opened = profile.work.run("r", START_S, None)
    rarity = profile.work.habits.rarity(step, opened, None)
    assert (rarity.target, rarity.grain, rarity.novelty, rarity.flow) == (1.0, None, 1.0, 1.0)
    assert profile.windows[1].levels[0].limit(0, 3.0, 3.0) > 90
    assert profile.work.repeats.usual == 40
    assert Profile.load(profile.dump(), Rules()).dump() == profile.dump()


def test_a_level_that_is_adopted_takes_in_the_open_window() -> None:
    window = Profile("a", Rules()).windows[1]
    window.open(START_S)
    for _ in range(500):
        window.add(None, None, None)
    window.alarmed.add(0)
    window.adopt(0, 90.0)
    assert window.levels[0].expected(0) == pytest.approx(500, rel=0.05)
    assert not window.alarmed


def test_terms_that_are_expected_are_known_within_the_next_checkpoints(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "events.jsonl"
    worker = make(store, log)
    with log.open("ab") as file:
        file.write(b"".join(line + b"\n" for line in odd_stream(600, agents=3)))
    drain(worker)
    alert_id = record(store, odd(agent_id="agent-1", tool="wire_money", target="iban-1"))
    assert run(["expected", alert_id, "--reason", "new bank", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["state"], said["resolved_reason"]) == ("expected", "new bank")
    assert {"tool": "wire_money", "target": "iban-1"} in said["taught"]["agent-1"]["terms"]

    def knows() -> bool:
        (owned,) = worker.owned.values()
        return "wire_money" in owned.shard.profiles["agent-1"].work.habits.tools.known

    drain(worker, until=knows)
    assert knows()
    (owned,) = worker.owned.values()
    assert "wire_money" not in owned.shard.profiles["agent-2"].work.habits.tools.known


def test_with_an_end_exactly_that_is_excepted_until_then(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    alert_id = record(store, odd(agent_id="pay[1]*"), spike(agent_id="pay[1]*"))
    assert run(["expected", alert_id, "--reason", "migration", "--for", "30d"]) == 0
    assert "nothing is learned" in capsys.readouterr().out
    with store.read() as ledger:
        on = mutes.active(ledger, mutes.newest(ledger, now_s=None)[0].since + 1)

    def hidden(one: Anomaly) -> bool:
        return any(mute.matcher.matches(one) for mute in on)

    assert len(on) == 2
    assert hidden(odd("x", agent_id="pay[1]*"))
    assert hidden(spike("x", agent_id="pay[1]*", target="any"))
    assert not hidden(odd("x", agent_id="pay[1]*", target="other"))
    assert not hidden(odd("x", agent_id="pay1x"))
    assert not hidden(odd("x", agent_id="pay[1]*", detector="boundary"))


def test_a_repeat_of_what_is_expected_is_expected_unless_it_is_worse(store: Store) -> None:
    alert_id = record(store, odd())
    assert run(["expected", alert_id, "--reason", "fine"]) == 0
    again = record(store, odd("a2", repeat=True), at_s=START_S + 10)
    assert again == alert_id
    with store.read() as ledger:
        assert alerts.get(ledger, alert_id).state == "expected"
    worse = record(store, odd("a3", repeat=True, severity=Severity.CRITICAL), at_s=START_S + 11)
    assert worse != alert_id


def test_what_is_wrong_is_said(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    alert_id = record(store, odd(held="grants", detector="privilege", subject="scopes"))
    assert run(["expected", alert_id, "--reason", "r", "--scope", "all"]) == 2
    assert "terms or level" in capsys.readouterr().err
    assert run(["expected", "nothing", "--reason", "r"]) == 5
    assert run(["expected", alert_id, "--reason", "r"]) == 0
    assert "nothing in it is learned" in capsys.readouterr().out


def test_a_breach_is_said_to_be_told_again(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    alert_id = record(store, odd(detector="boundary"))
    assert run(["expected", alert_id, "--reason", "r", "--for", "1d"]) == 0
    out = capsys.readouterr().out
    assert "nothing in it is learned\nwhat crossed a declared boundary is told again" in out
    with store.read() as ledger:
        assert mutes.newest(ledger, now_s=None) == []


@pytest.mark.parametrize(
    ("scope", "detectors"),
    [(None, ("drift", "rhythm")), ("terms", ("drift",)), ("level", ("rhythm",))],
)
def test_rules_that_learn_nothing_are_excepted_for_a_time_too(
    store: Store, scope: str | None, detectors: tuple[str, ...]
) -> None:
    """After the end, and for other agents, they are told as before."""
    found = [
        odd("d", detector="drift", held="drift", subject="widened", calibration="declared"),
        odd("h", detector="rhythm", held="hour"),
    ]
    alert_id = record(store, *found)
    said = ["--scope", scope] if scope else []
    assert run(["expected", alert_id, "--reason", "r", "--for", "2h", *said]) == 0
    with store.read() as ledger:
        (mute,) = mutes.newest(ledger, now_s=None)
        assert mute.matcher.detectors == detectors
        (on,) = mutes.active(ledger, mute.since + 7199)
        assert on.matcher.matches(odd("x", detector=detectors[0], calibration="declared"))
        assert not on.matcher.matches(odd("x", detector=detectors[0], agent_id="other"))
        assert mutes.active(ledger, mute.since + 7200) == []


def test_the_history_is_shown(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    alert_id = record(store, odd(text="did \x1b[2J a thing"))
    assert run(["ack", alert_id[:7], "--reason", "on \x1b[31m it"]) == 0
    assert run(["resolve", alert_id, "--reason", "done"]) == 0
    assert run(["alerts", alert_id]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    for words in ("opened by detector:new_target", "acknowledged by os:", "resolved by os:"):
        assert words in out
    assert run(["alerts", alert_id, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [one["change"] for one in shown["alerts"][0]["history"]] == [
        "opened", "acknowledged", "resolved",
    ]  # fmt: skip
    assert run(["alerts", shown["incident"]["incident_id"]]) == 0
    assert alert_id in capsys.readouterr().out


def test_mutes_at_the_command_line(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["mute", "--reason", "r", "--for", "1h"]) == 2
    assert "about something" in capsys.readouterr().err
    about = ["--agent", "pay*", "--detector", "new_*"]
    assert run(["mute", *about, "--reason", "r", "--for", "1h", "--json"]) == 0
    mute_id = json.loads(capsys.readouterr().out)["mute_id"]
    assert run(["mutes"]) == 0
    assert "agent pay*; detector new_*" in capsys.readouterr().out
    assert run(["unmute", mute_id, "--reason", "done", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ended_by"].startswith("os:")
    assert run(["mutes"]) == 0
    assert "nothing is muted" in capsys.readouterr().out
    assert run(["mutes", "--all", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["agent"] == "pay*"
    assert run(["unmute", "nothing", "--reason", "r"]) == 5
