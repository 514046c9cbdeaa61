"""`tripswitch agent ID`, and the API's route of the same document."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from alerting.trip_policy import Guards
from baselines.effect import EffectMap
from baselines.profile import Profile, Rules
from baselines.vocabulary import Patience
from monitor.cli.app import run
from monitor.config import StoreConfig
from monitor.ledger import actions, grants, intake, trips
from monitor.ledger.response import Response
from monitor.ledger.tokens import Role
from monitor.store import Store
from tests.kit.anomalies import anomaly
from tests.kit.api import bearer, served, token
from tests.kit.events import START_S, event
from tests.kit.known import checkpoint, profile

HOUR_S = 3600.0
RESPONSE = Response([], Guards(), [], ["registry"], quiet_s=3600.0)


@pytest.fixture(autouse=True)
def opened(store_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store that the commands use, too."""
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", store_url)
    store = Store.open(StoreConfig(url=store_url))
    yield store
    store.close()


def busy(agent_id: str = "payroll-1", tool: str = "read_ledger") -> Profile:
    """An agent that read two accounts in each of a dozen hours, and mailed once, oddly."""
    one = Profile(agent_id, Rules())
    for hour in range(14):
        for number, target in enumerate(("EMP-1", "EMP-2")):
            seen = event(
                2 * hour + number, START_S + hour * HOUR_S + number, agent_id=agent_id, tool=tool,
                target=target, trace_id=f"t{hour}", bytes_in=1000, effect="read",
                user_id="ann", parent_agent_id="planner", role="payroll", agent_version="2",
            )  # fmt: skip
            observed = one.observe(seen, EffectMap())
            observed.scores["run"] = 0.0  # as a detector judged it
            one.learn(observed)
    strange = one.work.habits.anywhere.texts, one.work.habits.targets[tool].texts
    for terms in strange:
        terms.hold("m@evil.example", "t9", START_S, Patience(3, HOUR_S), alarmed=True)
    return one


def told(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["agent", *options, "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    document: dict[str, Any] = json.loads(line)
    return document


def test_all_about_an_agent(opened: Store, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint(opened, busy())
    with opened.ledger() as ledger:
        for number, verb in enumerate(("read", "read", "send")):
            done = event(number, action=verb, status="denied")
            actions.append(ledger, [actions.row("topic", 3, number, START_S, done, "read")])
        grants.add(
            ledger, agent_id="payroll-1", scope="mail.send", reason="INC-1", granted_by="me",
            now_s=time.time(),
        )  # fmt: skip
        intake.record(ledger, [anomaly("a1", agent_id="payroll-1")], RESPONSE, START_S)
        trips.order_kill(
            ledger, agent_id="other", reason="r", ordered_by="me", automatic=False,
            now_s=START_S, points=["registry"], receivers=[],
        )  # fmt: skip
    document = told(capsys, "payroll-1")
    profile = document["profile"]
    (used,) = profile["tools"]
    assert (used["tool"], used["target_count"]) == ("read_ledger", 2)
    assert {target["text"] for target in used["targets"]} == {"EMP-1", "EMP-2"}
    assert profile["effects"] == {"read": 1.0}
    assert [user["text"] for user in profile["users"]] == ["ann"]
    assert [parent["text"] for parent in profile["parents"]] == ["planner"]
    assert len(profile["hours_of_week"]) == 168
    assert profile["quarantine"] == [
        {
            "kind": "target", "tool": "read_ledger", "text": "m@evil.example", "runs": 1,
            "first_seen": "2026-02-02T02:40:00+00:00", "alarmed": True,
        }
    ]  # fmt: skip
    (calls,) = (v for v in profile["volumes"] if (v["unit"], v["window_s"]) == ("calls", 3600))
    assert calls["usual"] == pytest.approx(2.0, abs=0.5)
    assert [grant["scope"] for grant in document["grants"]] == ["mail.send"]
    assert document["alerts"][0]["state"] == "open"
    assert document["trips"] == []

    assert run(["agent", "payroll-1"]) == 0
    text = capsys.readouterr().out
    for line in (
        "payroll-1, role payroll, version 2",
        "mail.send, standing, by me: INC-1",
        "read_ledger  on EMP-1, EMP-2",
        "effects: read 100%",
        "on behalf of: ann",
        "verbs: read 67%, send 33%",
        "outcomes: denied 100%",
        "quarantine: 1, not learned",
        "read_ledger on m@evil.example: first 2026-02-02 02:40, 1 run, alarmed on",
        "calls per hour: usually ",
    ):
        assert line in text
    monday = next(line for line in text.splitlines() if line.startswith("  Mon"))
    assert len(monday.split()[1]) == 24


def test_the_api_tells_the_same(
    opened: Store, store_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint(opened, busy("team/payroll"))
    mine = told(capsys, "team/payroll")
    with served(opened, store_url) as client:
        client.headers.update(bearer(secret := token(opened, Role.VIEWER)))
        assert client.get("/v1/agents/team%2Fpayroll/profile").json() == mine
        missing = client.get("/v1/agents/nobody/profile")
        assert (missing.status_code, "tripswitch agents" in missing.text) == (404, True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TRIPSWITCH_TOKEN", secret)
            via = ["--server", str(client.base_url)]
            assert told(capsys, "team/payroll", *via) == mine
            assert run(["agent", "team/payroll", *via]) == 0
            assert "read_ledger" in capsys.readouterr().out
            assert run(["agents", *via]) == 0
            assert "team/payroll" in capsys.readouterr().out


def test_hostile_words_are_shown_safely_and_nobody_is_told_of(
    opened: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint(opened, busy("a\x1b[2J", tool="t\u202e\x1b]0;x\x07"), profile("young"))
    assert run(["agent", "a\x1b[2J"]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert run(["agent", "young"]) == 0
    assert "learning, 0 of" in capsys.readouterr().out
    assert run(["agent", "nobody"]) == 5
    assert "`tripswitch agents` lists" in capsys.readouterr().err
