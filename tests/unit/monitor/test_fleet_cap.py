import json
import time
from collections.abc import Sequence

import pytest
from sqlalchemy import select

from alerting.message import Message
from alerting.trip_policy import Guards
from baselines.effect import EffectMap
from baselines.profile import Observation, Rules
from detectors.finding import Anomaly, Finding, Severity
from detectors.shard import Policy
from monitor.cli.app import run
from monitor.config import StoreConfig
from monitor.ledger import alerts, intake
from monitor.ledger.response import Response
from monitor.replay import Replay
from monitor.store import Store, schema
from tests.kit.anomalies import anomaly
from tests.kit.events import START_S, raw_event

DAY_S = 86_400.0
RESPONSE = Response([], Guards(), ["slack"], [], quiet_s=3600.0, alerts_per_week=2)


def learned(agent: int, name: str = "a", **fields: object) -> Anomaly:
    # of nothing in common, so that each is a story of its own
    odd = {"calibration": "uncalibrated", "p_value": 1e-4, "agent_id": f"agent-{agent}",
           "trace_id": f"t{agent}", "role": f"role-{agent}"}  # fmt: skip
    return anomaly(f"{name}{agent}", **{**odd, **fields})


def record(store: Store, *found: Anomaly, at_s: float = START_S) -> None:
    with store.ledger() as ledger:
        intake.record(ledger, found, RESPONSE, at_s)


def told(store: Store) -> list[tuple[str, str]]:
    with store.read() as ledger:
        docs = ledger.execute(select(schema.outbox.c.doc).order_by(schema.outbox.c.seq)).scalars()
        messages = [Message.model_validate_json(doc) for doc in docs]
    return [(m.kind, m.agent_id) for m in messages if m.kind != "updated"]


def charges(store: Store) -> dict[str, str]:
    with store.read() as ledger:
        return {a.agent_id: a.charge for a in alerts.newest(ledger, open_only=False)}


def test_the_cap_holds_over_one_transaction_and_over_several(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    record(store, *(learned(n) for n in range(3)))
    assert "1 alerts over the fleet's budget are kept and not sent" in caplog.text
    record(store, learned(3))
    assert told(store) == [("opened", "agent-0"), ("opened", "agent-1")]
    assert charges(store) == {
        "agent-0": "charged", "agent-1": "charged", "agent-2": "capped", "agent-3": "capped",
    }  # fmt: skip
    with store.read() as ledger:
        assert alerts.charged_since(ledger, START_S - 1, "capped") == 2


def test_a_further_anomaly_of_an_alert_costs_nothing(store: Store) -> None:
    record(store, learned(0), learned(0, "b"))
    record(store, learned(0, "c"), learned(1))
    assert told(store) == [("opened", "agent-0"), ("opened", "agent-1")]


def test_after_a_week_there_is_room_again(store: Store) -> None:
    record(store, learned(0), learned(1))
    record(store, learned(2), at_s=START_S + 7 * DAY_S - 1)
    record(store, learned(3), at_s=START_S + 7 * DAY_S)
    assert ("opened", "agent-2") not in told(store)
    assert ("opened", "agent-3") in told(store)


def test_a_capped_alert_is_sent_once_it_is_critical_or_declared(store: Store) -> None:
    record(store, *(learned(n) for n in range(4)))
    record(store, learned(2, "b", severity=Severity.CRITICAL))
    record(store, learned(3, "b", calibration="declared"))
    assert told(store)[2:] == [("opened", "agent-2"), ("opened", "agent-3")]
    record(store, learned(2, "b", severity=Severity.CRITICAL))
    assert len(told(store)) == 4, "known ones are passed over"


def test_what_was_not_sent_is_not_said_to_be_over_either(store: Store) -> None:
    record(store, *(learned(n) for n in range(3)))
    with store.ledger() as ledger:
        assert alerts.resolve_what_is_quiet(ledger, ["slack"], 3600.0, START_S + 3601) == 3
    assert {agent for kind, agent in told(store) if kind == "resolved"} == {"agent-0", "agent-1"}


class Always:
    """Finds each event odd; a call of `rm` is critical."""

    name = "always"

    def judge(self, seen: Observation) -> Sequence[Finding]:
        critical = seen.event.tool == "rm"
        return [
            Finding(
                detector="always", subject="s", episode=seen.run, observed=1.0, expected=0.0,
                unit="events", threshold=0.0, p_value=1e-4, calibration="calibrated", text="odd",
                severity=Severity.CRITICAL if critical else Severity.LOW,
            )
        ]  # fmt: skip


def test_a_replay_counts_as_the_ledger_does(store: Store) -> None:
    lines = [raw_event(n, START_S + 60 * n, agent_id=f"agent-{n}") for n in range(6)]
    lines.append(raw_event(7, START_S + 600, agent_id="agent-4", tool="rm"))
    late_s = START_S + 8 * DAY_S
    lines += [raw_event(10 + n, late_s + n, agent_id=f"late-{n}") for n in range(3)]
    replay = Replay(Policy(Rules(), EffectMap(), (Always(),)), RESPONSE)
    replay.on_anomaly = lambda one: record(store, one, at_s=one.time.timestamp())
    summary = replay.run(iter(lines), "log")
    live = charges(store)
    assert summary.alerts == len(live) == 9
    assert summary.alerts_capped == list(live.values()).count("capped") == 4
    assert live["agent-4"] == "free"
    assert live["late-2"] == "capped"


def test_the_list_counts_what_was_not_sent(capsys: pytest.CaptureFixture[str]) -> None:
    store = Store.open(StoreConfig())
    record(store, *(learned(n) for n in range(5)), at_s=time.time())
    store.close()
    assert run(["alerts"]) == 0
    out = capsys.readouterr().out
    assert "capped" in out
    assert "3 alerts over the fleet's budget were not sent in the last 7 days" in out
    assert run(["alerts", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(line["charge"] for line in lines) == ["capped"] * 3 + ["charged"] * 2
