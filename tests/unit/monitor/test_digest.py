import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select

from alerting.health import Condition
from alerting.message import Message
from alerting.routes import Owner, Routing
from detectors.finding import Severity
from monitor.cli.app import run
from monitor.config import Config
from monitor.config_health import DigestConfig
from monitor.current import Current
from monitor.digest import Digests, gather, newest
from monitor.ledger import alerts, conditions, grants, trips
from monitor.store import Store
from monitor.store.schema import outbox, profiles
from tests.kit.messages import alert, anomaly

DUE = datetime(2026, 5, 6, 6, 0, tzinfo=UTC)
"""A Wednesday, 8:00 in Berlin."""
CONFIG = Config(digest=DigestConfig(timezone="Europe/Berlin"))


class Clock:
    def __init__(self, now: datetime) -> None:
        self.now_s = now.timestamp()

    def __call__(self) -> float:
        return self.now_s


def open_alert(store: Store, number: int, at: datetime, **changes: object) -> None:
    worst = anomaly(anomaly_id=f"n{number}", agent_id=f"agent-{number}")
    one = alert(
        worst,
        alert_id=f"a{number}",
        opened_at=at,
        last_anomaly_at=at,
        detectors=("loop",),
        **changes,
    )
    with store.ledger() as ledger:
        alerts.store(ledger, [one])


def digests(
    store: Store, clock: Clock, config: Config = CONFIG, receivers: object = ("slack",)
) -> Digests:
    return Digests(Current(config), store, receivers, lambda: None, clock)  # type: ignore[arg-type]


def told(store: Store) -> list[Message]:
    with store.read() as ledger:
        docs = ledger.execute(select(outbox.c.doc).order_by(outbox.c.seq)).scalars()
        return [Message.model_validate_json(doc) for doc in docs]


def test_it_is_told_when_it_is_due_once_by_whichever_process(store: Store) -> None:
    open_alert(store, 1, DUE - timedelta(hours=30))
    clock = Clock(DUE - timedelta(minutes=1))
    processes = [digests(store, clock) for _ in range(4)]

    def look() -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda one: one.look(), processes))

    look()  # that of yesterday, which nobody has told yet
    assert [one.headline[:12] for one in told(store)] == ["daily digest"]
    clock.now_s += 60
    look()
    clock.now_s += 600
    look()
    found = told(store)
    assert len(found) == 2
    assert "2026-05-05 08:00 to 2026-05-06 08:00 CEST" in found[1].headline
    assert found[1].agent_id == ""


def test_what_was_missed_is_told_within_a_day_and_weekly_ones_on_their_day(store: Store) -> None:
    open_alert(store, 1, DUE - timedelta(days=30))
    monday = DUE - timedelta(days=2)
    clock = Clock(monday + timedelta(hours=23))
    digests(store, clock).look()
    assert [one.headline[:13] for one in told(store)] == ["daily digest,", "weekly digest"]
    clock.now_s = (DUE + timedelta(hours=5)).timestamp()
    digests(store, clock).look()
    assert len(told(store)) == 3, "the weekly one is too long ago"


def test_a_store_of_today_has_no_yesterday_and_never_means_never(store: Store) -> None:
    clock = Clock(DUE + timedelta(hours=2))
    open_alert(store, 1, DUE + timedelta(hours=1))
    digests(store, clock).look()
    assert told(store) == []
    open_alert(store, 2, DUE - timedelta(days=30))
    never = Config(digest=DigestConfig(daily_at="never", weekly_on="never"))
    digests(store, clock, never).look()
    assert told(store) == []


def fill(store: Store) -> None:
    at, now_s = DUE - timedelta(hours=3), (DUE - timedelta(hours=2)).timestamp()
    open_alert(store, 1, at, severity=Severity.CRITICAL, incident_id="i")
    open_alert(store, 2, at, incident_id="i")
    open_alert(store, 3, at, state="expected", resolved_by="os:alice")
    open_alert(
        store, 4, at, state="resolved", resolved_by="slack:U1", resolved_reason="False alarm"
    )
    open_alert(store, 5, at, state="resolved", resolved_by="os:alice", resolved_reason="stopped")
    open_alert(store, 6, at, state="resolved", resolved_by="quiet", resolved_reason="false")
    open_alert(store, 7, at, charge="capped")
    open_alert(store, 8, DUE + timedelta(hours=1))
    with store.ledger() as ledger:
        for agent_id, expires_at in (("agent-1", None), ("agent-2", now_s + 86_400)):
            grants.add(
                ledger, agent_id=agent_id, scope="mail.*", reason="r", granted_by="os:a",
                now_s=now_s, expires_at=expires_at,
            )  # fmt: skip
        trips.order_kill(
            ledger, agent_id="agent-9", reason="r", ordered_by="os:a", automatic=False,
            now_s=now_s, points=(), receivers=(),
        )  # fmt: skip
        lag = Condition("lag", "topic", "far behind", now_s)
        conditions.begin(ledger, lag, "p", [], now_s)


def test_what_is_gathered(store: Store) -> None:
    fill(store)
    (facts,) = gather(CONFIG, store, ("slack",), newest(CONFIG, "daily", DUE))
    assert (facts.incidents, facts.alerts) == (6, 7)
    assert dict(facts.severities) == {"critical": 1, "high": 6}
    assert dict(facts.kept_back) == {"over budget": 1}
    assert (facts.marked, facts.false) == (3, 2)
    assert [one[:2] for one in facts.standing] == [("agent-1", "mail.*")]
    assert [one[:2] for one in facts.expiring] == [("agent-2", "mail.*")]
    assert facts.trips == [("agent-9", "by os:a, contained in 0.0 s")]
    assert facts.conditions == ["lag of topic: far behind"]


def test_a_standing_grant_of_an_agent_that_did_not_act_is_unused(store: Store) -> None:
    long_ago = (DUE - timedelta(days=20)).timestamp()
    with store.ledger() as ledger:
        for agent_id in ("acts", "rests", "never seen"):
            grants.add(
                ledger, agent_id=agent_id, scope="mail.*", reason="r", granted_by="os:a",
                now_s=long_ago, expires_at=None,
            )  # fmt: skip
    row = {
        "source": "log", "partition": 0, "first_seen": long_ago, "events": 1, "checksum": b"",
        "learned": '{"run": [1, null]}', "body": b"",
    }  # fmt: skip
    with store.state() as state:
        for agent_id, ago in (("acts", 1), ("rests", 48)):
            last_s = (DUE - timedelta(hours=ago)).timestamp()
            state.execute(insert(profiles).values(agent_id=agent_id, last_seen=last_s, **row))
    (daily,) = gather(CONFIG, store, ("slack",), newest(CONFIG, "daily", DUE))
    (weekly,) = gather(CONFIG, store, ("slack",), newest(CONFIG, "weekly", DUE))
    assert len(daily.standing) == 3
    assert {one[0] for one in daily.unused} == {"rests", "never seen"}
    assert [one[0] for one in weekly.unused] == ["never seen"]


def test_each_owner_gets_what_is_theirs_and_nobody_s_is_told_too(store: Store) -> None:
    fill(store)
    routing = Routing(("slack",), owners=(Owner(name="ones", agents=("agent-1",)),))
    one, rest = gather(CONFIG, store, routing, newest(CONFIG, "daily", DUE))
    assert (one.owner, one.alerts, len(one.standing), one.conditions) == ("ones", 1, 1, ())
    assert (rest.owner, rest.alerts, len(rest.standing)) == (None, 6, 0)
    digests(store, Clock(DUE), receivers=routing).look()
    daily = [message for message in told(store) if message.headline.startswith("daily")]
    assert [message.owner for message in daily] == ["ones", None]


def test_the_command_line_prints_it(
    store: Store,
    store_url: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", store_url)
    monkeypatch.setattr("monitor.cli.digest.time.time", lambda: DUE.timestamp() + 60)
    fill(store)
    assert run(["digest", "--json"]) == 0
    (document,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (document["alerts"], document["every"]) == (7, "daily")
    assert document["until"] == "2026-05-06T06:01:00+00:00"
    assert run(["digest", "--weekly"]) == 0
    assert "2 of 3 that people judged (67%)" in capsys.readouterr().out
    assert run(["digest", "--weekly", "--daily"]) == 2
