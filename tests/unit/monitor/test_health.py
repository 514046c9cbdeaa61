"""The monitor watches itself: what is wrong is kept, told, and told to be over."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from alerting.health import Trouble
from alerting.notify.contract import stopwatch
from alerting.notify.slack import SlackReceiver
from alerting.notify.terminal import TerminalReceiver
from alerting.ports import Receiver
from monitor.config import StoreConfig
from monitor.dispatcher import Dispatcher
from monitor.health_probes import WorkerProbe
from monitor.ledger import deliveries, outbox, trips
from monitor.store import Store
from monitor.store.schema import points
from tests.kit.clock import NOW, Clock
from tests.kit.health import FakeWorker, Topic, by, health, told
from tests.kit.messages import message
from tests.kit.postgres import Postgres
from tests.kit.slack_server import CHANNEL, TOKEN, Answer, SlackServer
from tests.kit.waiting import until

SOON_S = 20.0


def test_a_dead_letter_is_told_through_the_other_receiver(
    store: Store, slack: SlackServer, tmp_path: Path
) -> None:
    clock = Clock()
    slack.script.append(Answer.error("not_in_channel"))
    with store.ledger() as ledger:
        outbox.enqueue(ledger, message(headline="m0"), ["slack"], 0.0, identity="m0")
    with (tmp_path / "screen").open("w+") as screen:
        receivers: list[Receiver] = [
            SlackReceiver(CHANNEL, TOKEN, slack.url, 5.0),
            TerminalReceiver(screen),
        ]
        dispatcher = Dispatcher(store, receivers, poll_s=0.02, clock=clock)
        dispatcher.start()
        watch = health(store, clock)

        def is_wrong() -> bool:
            watch.look()
            return bool(watch.held())

        until(is_wrong)
        until(lambda: "given up by slack" in (tmp_path / "screen").read_text())
        watch.look()
        assert [one.kind for one in told(store, "terminal")] == ["health"]
        assert "not_in_channel" in told(store, "terminal")[0].headline
        assert told(store, "slack") == []
        with store.ledger() as ledger:
            deliveries.revive(ledger, by="os:a", reason="invited", now_s=NOW, receiver="slack")
        watch.look()
        until(lambda: "well again" in (tmp_path / "screen").read_text())
        dispatcher.stop(5.0)
    assert [one.kind for one in told(store, "terminal")] == ["health", "health_over"]


def test_a_point_and_a_receiver_that_fail_are_told_and_told_over(store: Store) -> None:
    clock = Clock()
    with store.ledger() as ledger:
        trips.order_kill(
            ledger, agent_id="a", reason="r", ordered_by="os:a", automatic=False, now_s=NOW,
            points=("iam",), receivers=(),
        )  # fmt: skip
        ledger.execute(points.update().values(attempts=3, last_error="status 500"))
    watch, other = health(store, clock), health(store, clock)
    watch.look()
    other.look()
    (one,) = told(store, "slack")
    assert one.headline == "1 orders wait for iam: status 500"
    with store.ledger() as ledger:
        ledger.execute(points.update().values(state="confirmed"))
    clock.now_s += 60
    watch.look()
    other.look()
    assert [one.kind for one in told(store, "slack")] == ["health", "health_over"]


def test_while_the_store_is_down_it_is_not_ready_and_nothing_is_told_as_over(
    store: Store,
) -> None:
    clock = Clock()
    with store.ledger() as ledger:
        outbox.enqueue(ledger, message(headline="m"), ["slack"], 0.0, identity="m")
        (taken,) = outbox.take_due(ledger, ["slack"], NOW, 15.0, 1)
        outbox.mark_dead(ledger, taken, NOW, "refused")
    watch = health(store, clock)
    watch.look()
    with store.ledger() as ledger:
        ledger.execute(text("ALTER TABLE outbox RENAME TO away"))
    for _ in range(3):
        clock.now_s += 10
        watch.look()
    ready = watch.readiness()
    assert ready["ready"] is False
    assert {one["condition"] for one in ready["conditions"]} == {"store", "undelivered"}
    with store.ledger() as ledger:
        ledger.execute(text("ALTER TABLE away RENAME TO outbox"))
    for _ in range(3):
        clock.now_s += 10
        watch.look()
    assert watch.readiness()["ready"] is True
    assert [one.kind for one in told(store, "terminal")] == ["health"]


@pytest.mark.service
def test_while_the_database_is_frozen_it_is_said_that_the_loop_hangs(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("monitor.health_ledger.ANSWER_WITHIN_S", 0.3)
    url, clock, worker = postgres.new_store(), Clock(), FakeWorker(Topic({}), {})
    store = Store.open(StoreConfig(url=url))
    probe = WorkerProbe(worker, by())  # type: ignore[arg-type]
    watch = health(store, clock, probe, pulse=worker.pulse)
    watch.look()
    assert watch.is_well()
    postgres.freeze()
    try:
        with stopwatch() as passed_s:
            for _ in range(3):
                clock.now_s += 10
                worker.pulse.turned_at_s -= 31
                watch.look()
            assert passed_s() < SOON_S
        assert watch.is_alive(), "no restart would help"
        reasons = " ".join(watch.readiness()["reasons"])
        assert "worker: the loop has not turned for 93 s" in reasons
        assert "store: no answer for " in reasons
        assert "cannot be told: worker: the loop has not turned for 93 s" in caplog.text
    finally:
        postgres.thaw()
    worker.pulse.turn()
    assert watch.is_alive()

    def is_over() -> bool:
        clock.now_s += 6
        watch.look()
        return not watch.held()

    until(is_over)
    assert [one.kind for one in told(store, "slack")] == ["health", "health_over"]
    assert told(store, "slack")[0].headline.startswith("no answer for ")
    store.close()
    postgres.drop(url)


def test_a_restart_tells_nothing_again_and_tells_what_is_over(store: Store) -> None:
    clock = Clock()
    troubles = [Trouble("stalled", "topic", "no answer")]
    health(store, clock, lambda _now_s: iter(troubles)).look()
    again = health(store, clock, lambda _now_s: iter(troubles))
    again.look()
    assert len(told(store, "slack")) == 1
    troubles.clear()
    for _ in range(3):
        clock.now_s += 10
        again.look()
    assert [one.kind for one in told(store, "slack")] == ["health", "health_over"]


def test_a_probe_that_fails_blinds_no_other(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_now_s: float) -> Iterator[Trouble]:
        raise RuntimeError(TOKEN)

    watch = health(
        store, Clock(), broken, lambda _now_s: iter([Trouble("stalled", "topic", "no answer")])
    )
    watch.look()
    assert [one.kind for one in watch.held()] == ["stalled"]
    assert "unexpected RuntimeError" in caplog.text
    assert TOKEN not in caplog.text


def test_nobody_who_looks_stops_the_heart(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = health(store, Clock())
    watch.look()
    assert watch.is_well()
    watch._looked_at_s -= 61
    assert not watch.is_well()
    assert watch.readiness()["reasons"] == ["health: nobody has looked for a while"]
