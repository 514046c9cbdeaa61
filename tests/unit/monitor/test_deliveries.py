import json

import pytest
from sqlalchemy import select

from alerting.incident import Incident
from detectors.finding import Severity
from monitor.cli.app import run
from monitor.errors import NotFoundError, UsageError
from monitor.ledger import audit_read, deliveries, outbox
from monitor.ledger.outbox import Delivery
from monitor.store import Store
from monitor.store.schema import audit as audit_table
from monitor.store.schema import outbox as table
from tests.kit.messages import AT, message

NOW = 1_770_000_000.0


def incident(incident_id: str = "i1") -> Incident:
    return Incident(
        incident_id=incident_id,
        severity=Severity.HIGH,
        opened_at=AT,
        last_anomaly_at=AT,
        agents=("a",),
    )


def put(
    store: Store, headline: str, kind: str = "opened", at_s: float = NOW, **more: object
) -> int:
    with store.ledger() as ledger:
        told = message(headline=headline, kind=kind, **{"incident": incident(), **more})
        return outbox.enqueue(ledger, told, ["slack"], at_s, identity=headline)


def take(store: Store, at_s: float = NOW) -> list[Delivery]:
    with store.ledger() as ledger:
        return outbox.take_due(ledger, ["slack"], at_s, 15.0, 10)


def waiting(store: Store) -> list[str]:
    with store.read() as ledger:
        return [json.loads(one.doc)["headline"] for one in deliveries.unsent(ledger)]


def test_an_update_that_nobody_sent_gives_way_to_a_newer_one(store: Store) -> None:
    put(store, "opened")
    assert [put(store, f"u{number}", "updated") for number in range(3)] == [1, 1, 1]
    assert put(store, "u2", "updated") == 0, "said already"
    assert waiting(store) == ["opened", "u2"]
    put(store, "raised", "raised")
    put(store, "u3", "updated")
    put(store, "u4", "updated")
    assert waiting(store) == ["opened", "u2", "raised", "u4"], "nothing is passed by"
    put(store, "other", "updated", incident=incident("i2"))
    assert waiting(store)[-1] == "other"


def test_an_update_that_is_being_sent_stays_and_one_that_failed_keeps_its_wait(
    store: Store,
) -> None:
    put(store, "u0", "updated")
    (sending,) = take(store)
    put(store, "u1", "updated")
    assert waiting(store) == ["u0", "u1"]
    with store.ledger() as ledger:
        outbox.mark_sent(ledger, sending, NOW)
    (failed,) = take(store)
    with store.ledger() as ledger:
        outbox.mark_retry(ledger, failed, NOW + 60, "busy")
    put(store, "u2", "updated")
    assert waiting(store) == ["u2"]
    assert take(store, NOW + 59) == []
    assert [one.message().headline for one in take(store, NOW + 60)] == ["u2"]


def test_one_incident_goes_in_order_whatever_agent_it_is_about(store: Store) -> None:
    put(store, "first", agent_id="a")
    put(store, "second", agent_id="b")
    put(store, "elsewhere", agent_id="a", incident=incident("i2"))
    assert [one.message().headline for one in take(store)] == ["first", "elsewhere"]


def kill(store: Store, count: int = 1) -> list[str]:
    """Give up `count` messages; their ids."""
    for number in range(count):
        put(store, f"m{number}", incident=incident(str(number)))
    taken = take(store)
    with store.ledger() as ledger:
        for one in taken:
            outbox.mark_dead(ledger, one, NOW, "not_in_channel")
    return [one.delivery_id for one in taken]


def test_what_was_given_up_is_tried_again_under_its_key(store: Store) -> None:
    ids = kill(store, 3)
    assert take(store, NOW + 9999) == []
    with store.ledger() as ledger:
        revived = deliveries.revive(
            ledger, by="os:alice", reason="invited", now_s=NOW + 5, delivery_id=ids[1][:20]
        )
    assert revived == 1
    (again,) = take(store, NOW + 5)
    assert (again.delivery_id, again.attempts) == (ids[1], 1)
    with store.ledger() as ledger:
        assert deliveries.revive(
            ledger, by="os:alice", reason="all", now_s=NOW + 6, receiver="slack"
        ) == 2  # fmt: skip
        assert deliveries.revive(ledger, by="os:alice", reason="all", now_s=NOW + 6) == 0
    with store.read() as ledger:
        actions = ledger.execute(select(audit_table.c.action)).scalars().all()
        head = audit_read.head(ledger)
    assert actions == ["messages tried again"] * 2
    assert head is not None


def test_what_cannot_be_revived_is_said(store: Store) -> None:
    put(store, "pending")
    with store.ledger() as ledger:
        (one,) = deliveries.unsent(ledger)
        with pytest.raises(UsageError, match="is pending, not dead"):
            deliveries.revive(ledger, by="a", reason="r", now_s=NOW, delivery_id=one.delivery_id)
        with pytest.raises(NotFoundError, match="no delivery 'zz'"):
            deliveries.revive(ledger, by="a", reason="r", now_s=NOW, delivery_id="zz")


def test_how_receivers_stand(store: Store) -> None:
    kill(store, 2)
    put(store, "waits", incident=incident("w"))
    for number in range(3):
        (one,) = take(store, NOW + number * 100)
        with store.ledger() as ledger:
            outbox.mark_retry(ledger, one, NOW + (number + 1) * 100, "status 503")
            found = deliveries.stuck(ledger, attempts=3, dead_since_s=NOW - 1)
            slack = found["slack"]
            assert (slack.failing, slack.dead) == (int(number == 2), 2)
            assert slack.dead_error == "not_in_channel"
    assert slack.error == "status 503"
    with store.read() as ledger:
        assert deliveries.stuck(ledger, attempts=9, dead_since_s=NOW + 1) == {}


def test_the_command_line_lists_and_revives(
    store: Store,
    store_url: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", store_url)
    kill(store)
    put(store, "\x1b[2J waits", incident=incident("w"))
    assert run(["outbox", "--json"]) == 0
    dead, pending = map(json.loads, capsys.readouterr().out.splitlines())
    assert (dead["state"], dead["reason"], dead["headline"]) == ("dead", "not_in_channel", "m0")
    assert (pending["state"], pending["given_up_at"]) == ("pending", None)
    assert run(["outbox"]) == 0
    shown = capsys.readouterr().out
    assert "reason: not_in_channel" in shown
    assert "\x1b" not in shown
    assert run(["outbox", "retry", "--reason", "x"]) == 2
    assert run(["outbox", "retry", "--receiver", "slack", "--all-dead", "--reason", "x"]) == 2
    assert run(["outbox", "retry", "--all-dead", "--reason", " "]) == 2
    assert run(["outbox", "retry", "--all-dead", "--reason", "mended", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"revived": 1, "exit_code": 0}
    assert run(["outbox", "retry", "--all-dead", "--reason", "mended"]) == 5
    assert run(["outbox", "--dead"]) == 0
    assert "no message was given up" in capsys.readouterr().out
    with store.read() as ledger:
        assert set(ledger.execute(select(table.c.state)).scalars()) == {"pending"}
