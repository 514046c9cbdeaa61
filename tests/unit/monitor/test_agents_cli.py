import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event as sql_event

from alerting.trip_policy import Guards
from baselines.summary import EPISODES_TO_LEARN
from monitor.cli.app import run
from monitor.config import StoreConfig
from monitor.ledger import grants, intake, trips
from monitor.ledger.response import Response
from monitor.store import Store
from tests.kit.anomalies import anomaly
from tests.kit.events import START_S
from tests.kit.known import checkpoint, profile

HOSTILE = "pay\x1b[31mroll\u202e[red]-1"
RESPONSE = Response([], Guards(), [], ["registry"], quiet_s=3600.0)


@pytest.fixture(autouse=True)
def opened(store_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store that the commands use, too."""
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", store_url)
    store = Store.open(StoreConfig(url=store_url))
    yield store
    store.close()


def listed(capsys: pytest.CaptureFixture[str], *options: str) -> Sequence[dict[str, Any]]:
    assert run(["agents", *options, "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.isascii() for line in lines)
    return [json.loads(line) for line in lines]


def test_an_agent_as_json(opened: Store, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint(opened, profile("payroll-1", runs=7, role="payroll", agent_version="2.1\x00"))
    (told,) = listed(capsys)
    learning = {
        "state": "learning",
        "calibrated_since": None,
        "episodes": 0,
        "episodes_to_learn": EPISODES_TO_LEARN,
    }
    assert told == {
        "agent_id": "payroll-1",
        "role": "payroll",
        "agent_version": "2.1\ufffd",
        "owner": None,
        "declared": None,
        "first_seen": "2026-02-02T02:40:00+00:00",
        "last_seen": "2026-02-02T02:40:01+00:00",
        "events": 2,
        **learning,
        "episodes": 7,
        "learned": {
            "run": {**learning, "episodes": 7},
            "level": learning,
            "rhythm": learning,
            "silence": learning,
        },
        "standing": "active",
        "standing_since": None,
        "trip_id": None,
        "live_grants": 0,
        "alert": None,
        "seen_in": [{"source": "topic", "partition": 3, "at": "2026-02-02T02:40:01+00:00"}],
    }


def test_it_says_since_when_an_agent_is_calibrated(
    opened: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint(opened, profile("old", runs=EPISODES_TO_LEARN), profile("new", runs=40))
    since = "2026-02-02T02:41:59+00:00"
    (old,) = listed(capsys, "--state", "calibrated")
    assert (old["agent_id"], old["state"], old["calibrated_since"]) == ("old", "calibrated", since)
    (new,) = listed(capsys, "--state", "learning")
    assert (new["agent_id"], new["state"], new["episodes"]) == ("new", "learning", 40)
    assert run(["agents"]) == 0
    told = capsys.readouterr().out
    assert "calibrated since 2026-02-02" in told
    assert f"learning, 40 of {EPISODES_TO_LEARN} runs" in told


def test_the_last_seen_come_first_by_role_and_at_most_so_many(
    opened: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    roles = ("ops", "payroll")
    checkpoint(opened, *(profile(f"a{n}", at=n * 10.0, role=roles[n % 2]) for n in range(6)))
    assert [a["agent_id"] for a in listed(capsys, "--limit", "2")] == ["a5", "a4"]
    assert [a["agent_id"] for a in listed(capsys, "--role", "ops")] == ["a4", "a2", "a0"]
    assert listed(capsys, "--role", "nobody") == []
    assert run(["agents", "--limit", "2"]) == 0
    assert "these are the last 2 seen" in capsys.readouterr().out
    assert run(["agents", "--limit", "6"]) == 0
    assert "and more" not in capsys.readouterr().out


def test_an_agent_in_two_partitions_is_listed_once_by_the_newest(
    opened: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint(opened, profile("a", role="old"), profile("twin"), partition=1)
    checkpoint(opened, profile("a", at=60.0, role="new"), profile("twin"), partition=2)
    first, twin = listed(capsys)
    assert (first["agent_id"], first["role"]) == ("a", "new")
    assert [seen["partition"] for seen in first["seen_in"]] == [2, 1]
    assert [seen["partition"] for seen in twin["seen_in"]] == [2, 1]
    assert listed(capsys, "--role", "old") == []
    assert run(["agents"]) == 0
    assert capsys.readouterr().out.count("seen in 2 partitions") == 2


def test_an_agent_of_several_topics_is_in_its_place_in_each(
    opened: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint(opened, profile("a"), source="acts")
    checkpoint(opened, profile("a"), source="calls")
    assert run(["agents"]) == 0
    assert "partitions" not in capsys.readouterr().out
    assert run(["agent", "a"]) == 0
    assert "as seen in calls/3; known in acts/3, too" in capsys.readouterr().out
    assert run(["agents", "approve", "a", "--reason", "new scope", "--json"]) == 0
    approved = map(json.loads, capsys.readouterr().out.splitlines())
    assert sorted(one["source"] for one in approved) == ["acts", "calls"]


def test_it_says_who_is_cut_off_and_who_has_an_open_alert(
    opened: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint(opened, profile("calm"), profile("odd"), profile("gone"))
    with opened.ledger() as ledger:
        intake.record(ledger, [anomaly("a1", agent_id="odd")], RESPONSE, START_S)
        trips.order_kill(
            ledger, agent_id="gone", reason="r", ordered_by="me", automatic=False,
            now_s=START_S, points=["registry"], receivers=[],
        )  # fmt: skip
    told = {agent["agent_id"]: agent for agent in listed(capsys)}
    assert told["odd"]["alert"]["anomaly_count"] == 1
    assert told["odd"]["alert"]["state"] == "open"
    assert told["gone"]["standing"] == "contained"
    assert told["gone"]["trip_id"]
    assert (told["calm"]["alert"], told["calm"]["standing"]) == (None, "active")
    assert run(["agents"]) == 0
    text = capsys.readouterr().out
    assert f"alert {told['odd']['alert']['alert_id']}" in text
    assert "contained" in text


def test_it_says_whose_an_agent_is_what_it_holds_and_what_nobody_declared(
    opened: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    checkpoint(opened, profile("payroll-1", role="payroll"), profile("someones-bot"))
    with opened.ledger() as ledger:
        for scope, lasts_s in (("mail.send", 60.0), ("db.read", None), ("over", -60.0)):
            ends_s = None if lasts_s is None else time.time() + lasts_s
            grants.add(
                ledger, agent_id="payroll-1", scope=scope, reason="r", granted_by="me",
                now_s=time.time() - 120.0, expires_at=ends_s,
            )  # fmt: skip
    settings = tmp_path / "t.toml"
    settings.write_text(
        '[agents]\ndeclared = ["payroll-*"]\n[[owners]]\nname = "team-pay"\nroles = ["payroll"]\n'
    )
    named = ["--config", str(settings)]
    told = {agent["agent_id"]: agent for agent in listed(capsys, *named)}
    assert [told["payroll-1"][key] for key in ("owner", "declared", "live_grants")] == [
        "team-pay", True, 2,
    ]  # fmt: skip
    stray = told["someones-bot"]
    assert [stray[key] for key in ("owner", "declared", "live_grants")] == [None, False, 0]
    assert listed(capsys, *named, "--undeclared") == [stray]
    assert run(["agents", *named]) == 0
    text = capsys.readouterr().out
    assert text.count("shadow AI: nobody declared it") == 1
    assert "team-pay" in text
    assert run(["agents", "--undeclared"]) == 2
    assert "set agents.declared" in capsys.readouterr().err


def test_what_agents_say_of_themselves_is_shown_safely(
    opened: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    beyond: dict[str, Any] = {"time": "1970-01-01T00:00:00Z"}
    checkpoint(opened, profile(HOSTILE, role="\x1b]0;x\x07" * 50, agent_version="v" * 1000))
    checkpoint(opened, profile("antique", **beyond), partition=4)
    assert run(["agents"]) == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "\u202e" not in told
    assert "[red]" in told
    assert max(map(len, told.splitlines())) <= 200
    newest, antique = listed(capsys)
    assert newest["agent_id"] == HOSTILE
    assert antique["last_seen"].startswith("1970-01-01T00:00:00")


def test_no_profile_is_loaded_to_list_it(opened: Store, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint(opened, *(profile(f"a{number}") for number in range(20)))
    asked: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    from monitor.store import inventory

    with opened.read_state() as state:
        sql_event.listen(state, "before_cursor_execute", note)
        assert len(inventory.newest(state, limit=100)) == 20
        assert inventory.tally(state) == (20, 0)
    assert len(asked) == 3
    assert not any("body" in statement for statement in asked)


def test_where_nothing_was_seen_it_says_why(
    opened: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert listed(capsys) == []
    assert run(["agents"]) == 0
    assert "no daemon has used this store yet" in capsys.readouterr().out
    checkpoint(opened)
    assert run(["agents"]) == 0
    assert "no agents were seen yet" in capsys.readouterr().out
    assert run(["agents", "--role", "x"]) == 0
    assert "no agents of this kind" in capsys.readouterr().out
    monkeypatch.delenv("TRIPSWITCH_STORE__URL")
    assert run(["agents"]) == 0
    assert "`tripswitch run` starts one" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [["--limit", "0"], ["--state", "asleep"], ["nobody"]])
def test_wrong_usage_is_named(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["agents", *wrong]) == 2
    assert capsys.readouterr().err.startswith("tripswitch: ")
