import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import select, text

from alerting.health import Trouble
from alerting.message import Message
from alerting.notify.slack import SlackReceiver
from alerting.notify.terminal import TerminalReceiver
from alerting.ports import Receiver
from baselines.event import ActionEvent
from detectors.budget import Budget
from detectors.shard import Policy, Shard
from monitor.config import Config
from monitor.config_health import HealthConfig, HeartbeatConfig
from monitor.counts import Counts
from monitor.current import Current
from monitor.dispatcher import Dispatcher
from monitor.health import Health
from monitor.health_probes import SourceProbe, WorkerProbe, serve_probe
from monitor.health_source import LogEnds, Pauses
from monitor.heartbeat import Heartbeat
from monitor.ledger import deliveries, outbox, trips
from monitor.metrics import Metrics
from monitor.pulse import Pulse, Skew
from monitor.serve_child import ServeChild
from monitor.sources import Place, SourceError
from monitor.sources.log_file import LogFileSource
from monitor.store import Store
from monitor.store.schema import outbox as table
from monitor.store.schema import points
from monitor.timing import Timing
from tests.kit.events import raw_event
from tests.kit.messages import message
from tests.kit.slack_server import CHANNEL, TOKEN, Answer, SlackServer

NOW = 1_770_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now_s = NOW

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Part:
    """A partition as the worker has it."""

    next_offset: int = 0
    saved_offset: int = 0
    watermark_s: float = NOW
    shard: Shard = field(default_factory=lambda: Shard("topic", 0, Policy.of(Budget())))


@dataclass
class Topic:
    """Ends of a source that a test sets."""

    ends: dict[int, int]
    unit: str = "records"
    why: str | None = None
    only_markers: bool = False
    name: str = "topic"

    def ask(self, partitions: object) -> dict[int, int]:
        if self.why is not None:
            raise SourceError(self.why)
        return self.ends

    def has_more(self, partition: int, offset: int) -> bool:
        return not self.only_markers

    def close(self) -> None:
        pass


@dataclass
class FakeWorker:
    """What probes see of a worker."""

    source: Topic
    owned: dict[int, Part]
    counts: Counts = field(default_factory=Counts)
    pulse: Pulse = field(default_factory=Pulse)
    timing: Timing = field(default_factory=Timing)


def kinds(troubles: Iterator[Trouble]) -> list[str]:
    return [one.kind for one in troubles]


def by(**settings: object) -> Current:
    """The settings in force, with these of health."""
    return Current(Config(health=HealthConfig(**settings)))  # type: ignore[arg-type]


def source_probe(topic: Topic, worker: FakeWorker, **settings: object) -> SourceProbe:
    return SourceProbe(worker, topic, by(**settings))  # type: ignore[arg-type]


def health(
    store: Store, clock: Clock, *probes: object, receivers: str = "slack terminal"
) -> Health:
    return Health(
        store,
        by(),
        process="p",
        receivers=receivers.split(),
        probes=probes,  # type: ignore[arg-type]
        wake=lambda: None,
        clock=clock,
    )


def told(store: Store, receiver: str) -> list[Message]:
    with store.read() as ledger:
        query = select(table.c.doc).where(table.c.receiver == receiver).order_by(table.c.seq)
        found = [Message.model_validate_json(doc) for doc in ledger.execute(query).scalars()]
    return [one for one in found if one.kind.startswith("health")]


def test_a_partition_that_has_more_and_is_not_read_is_stalled() -> None:
    topic = Topic({0: 10, 1: 5})
    worker = FakeWorker(topic, {0: Part(4), 1: Part(5)})
    probe = source_probe(topic, worker, stalled_s=60)
    assert kinds(probe(NOW)) == []
    (stalled,) = probe(NOW + 60)
    assert stalled.kind == "stalled"
    assert stalled.text == "nothing is read of partition 0 though it has more"
    worker.owned[0].next_offset = 6
    assert kinds(probe(NOW + 61)) == []
    assert kinds(probe(NOW + 120)) == []
    assert kinds(probe(NOW + 121)) == ["stalled"]
    topic.only_markers = True  # what is left are no records
    assert kinds(probe(NOW + 122)) == []
    del worker.owned[0]
    assert kinds(probe(NOW + 500)) == []


def test_a_source_that_gives_no_answer_is_stalled() -> None:
    topic = Topic({}, why="Kafka at x did not answer")
    probe = source_probe(topic, FakeWorker(topic, {0: Part()}), stalled_s=60)
    assert kinds(probe(NOW)) == []
    (stalled,) = probe(NOW + 60)
    assert "did not answer" in stalled.text
    topic.why = None
    assert kinds(probe(NOW + 61)) == []


def test_lag_is_told_by_records_and_by_age() -> None:
    topic = Topic({0: 5000, 1: 10})
    worker = FakeWorker(topic, {0: Part(1000, 0, NOW - 400), 1: Part(10, 10, NOW - 9999)})
    (lag,) = source_probe(topic, worker, lag_s=300, checkpoint_s=9999)(NOW)
    assert lag.text == "4,000 records behind; what is read now is 7 minutes old"
    assert kinds(source_probe(topic, worker, lag_s=401)(NOW)) == []


def test_a_rest_is_unusual_by_what_two_weeks_had() -> None:
    pauses = Pauses()
    now_s = NOW
    for day in range(8):
        for hour in range(24):
            works = 8 <= hour < 18
            pauses.see(works, now_s + day * 86_400 + hour * 3600)
        assert (pauses.usual_s() is not None) is (day >= 6)
    assert pauses.usual_s() == 3 * 15 * 3600.0
    topic = Topic({})
    probe = source_probe(topic, FakeWorker(topic, {}), quiet_after_s=100)
    assert kinds(probe(NOW)) == []
    assert kinds(probe(NOW + 101)) == ["quiet"]


def test_blank_lines_behind_the_last_event_are_no_stall(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(raw_event(1) + b"\n\n\n")
    source = LogFileSource(path)
    source.start(0, None)
    (chunk,) = source.poll(1.0)
    ends = LogEnds(source)
    assert ends.ask([0]) == {0: path.stat().st_size}
    assert not ends.has_more(0, path.stat().st_size - 2)
    with path.open("ab") as file:
        file.write(raw_event(2) + b"\n")
    assert ends.has_more(0, path.stat().st_size - 10)
    assert Place(chunk.next_offset, {}).next_offset <= path.stat().st_size
    source.close()


def test_a_loop_that_hangs_checkpoints_and_dead_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = FakeWorker(Topic({}), {0: Part(5, 3)})
    probe = WorkerProbe(worker, by(worker_s=60, checkpoint_s=60))  # type: ignore[arg-type]
    assert kinds(probe(NOW)) == []
    assert kinds(probe(NOW + 61)) == ["checkpoint"]
    worker.owned[0].saved_offset = 5
    assert kinds(probe(NOW + 62)) == []
    worker.counts.rejected = 1
    (letters,) = probe(NOW + 130)
    assert (letters.kind, letters.text[:9]) == ("dead_letters", "1 records")
    assert kinds(probe(NOW + 3600)) == ["dead_letters"]
    assert kinds(probe(NOW + 7200)) == []
    worker.pulse.refuse("topic/0")
    (refused,) = probe(NOW + 7201)
    assert (refused.kind, "claimed by another" in refused.text) == ("checkpoint", True)
    worker.pulse.refused_at_s = None
    worker.pulse.turned_at_s -= 61
    assert kinds(probe(NOW + 7202)) == ["worker"]
    worker.pulse.turn()
    assert kinds(probe(NOW + 7203)) == []


def event(agent_id: str, time_s: float, log_s: float) -> tuple[ActionEvent, bytes, int, float]:
    raw = raw_event(1, time_s, agent_id=agent_id)
    return ActionEvent.parse(raw, log_s), raw, 0, log_s


def test_a_clock_that_differs_is_told_from_an_event_that_is_late() -> None:
    skew = Skew()
    for number in range(20):
        log_s = NOW + number
        for agent_id, delay_s in (("good", 0.5), ("ahead", -90.0), ("behind", 120.0)):
            skew.see([event(agent_id, log_s - delay_s, log_s)])
        skew.see([event("late once", log_s - (500.0 if number == 3 else 0.1), log_s)])
    worst, of = skew.worst(60.0)
    assert [(one.agent_id, round(one.skew_s)) for one in worst] == [("behind", -120), ("ahead", 90)]
    assert of == 4
    for window in (700, 1400):
        skew.see([event("good", NOW + window, NOW + window)])
    assert skew.worst(60.0)[0] == [], "what is long ago is forgotten"


def test_clocks_are_kept_of_few_agents() -> None:
    skew = Skew()
    for number in range(1100):
        skew.see([event(f"a{number}", NOW, NOW)])
    assert skew.worst(60.0) == ([], 1000)


def test_a_child_that_died_is_told() -> None:
    child = ServeChild(["true"])
    assert list(serve_probe(child)(NOW)) == []
    child.ended_at_s, child.ended = time.monotonic(), "exit code 4"
    (one,) = serve_probe(child)(NOW)
    assert "exit code 4" in one.text
    child.ended_at_s -= 61
    assert list(serve_probe(child)(NOW)) == []


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
        end_s = time.monotonic() + 60
        while not watch.held():
            assert time.monotonic() < end_s
            watch.look()
        while "given up by slack" not in (tmp_path / "screen").read_text():
            assert time.monotonic() < end_s
            time.sleep(0.02)
        watch.look()
        assert [one.kind for one in told(store, "terminal")] == ["health"]
        assert "not_in_channel" in told(store, "terminal")[0].headline
        assert told(store, "slack") == []
        with store.ledger() as ledger:
            deliveries.revive(ledger, by="os:a", reason="invited", now_s=NOW, receiver="slack")
        watch.look()
        while "well again" not in (tmp_path / "screen").read_text():
            assert time.monotonic() < end_s
            time.sleep(0.02)
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


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_livez_and_readyz_say_which(store: Store) -> None:
    clock, port = Clock(), free_port()
    troubles = [Trouble("quiet", "topic", "no record came for 50 minutes")]
    watch = health(store, clock, lambda _now_s: iter(troubles))
    stop = Metrics().serve("127.0.0.1", port, watch)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        watch.look()
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["reasons"]) == (200, [])
        assert ready.json()["conditions"][0]["condition"] == "quiet"
        troubles.append(Trouble("worker", "topic", "the loop has not turned for 61 s"))
        watch.look()
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["reasons"] == ["worker: the loop has not turned for 61 s"]
        assert ready.json()["conditions"][0]["what_to_do"]
        assert client.get("/livez").status_code == 503
        assert client.get("/metrics").status_code == 200
        assert client.get("/other").status_code == 404
        troubles.clear()
        clock.now_s += 60
        watch.look()
        assert client.get("/livez").json() == {"live": True}
        assert client.get("/readyz").json() == {"ready": True, "reasons": [], "conditions": []}
    stop()


class Switch(BaseHTTPRequestHandler):
    calls = 0
    status = 200

    def do_GET(self) -> None:
        type(self).calls += 1
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A dead-man's switch over HTTP; its URL, with a secret in it."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    Switch.calls, Switch.status = 0, 200
    with HTTPServer(("127.0.0.1", 0), Switch) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/ping/s3cret"
        server.shutdown()
        thread.join()


def until(true: object, within_s: float = 30.0) -> None:
    end_s = time.monotonic() + within_s
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end_s, "it did not come true"
        time.sleep(0.01)


def test_the_heart_beats_while_all_is_well_and_not_else(
    switch: str, caplog: pytest.LogCaptureFixture
) -> None:
    well = threading.Event()
    asked = []

    def is_well() -> bool:
        asked.append(1)
        return well.is_set()

    heart = Heartbeat(HeartbeatConfig(url=SecretStr(switch), interval_s=0.01), is_well)
    heart.start()
    until(lambda: len(asked) > 3)
    assert Switch.calls == 0
    well.set()
    until(lambda: heart.beats > 2)
    assert list(heart.troubles(NOW)) == []
    Switch.status = 500
    until(lambda: list(heart.troubles(NOW)))
    (trouble,) = heart.troubles(NOW)
    assert "status 500" in trouble.text
    Switch.status = 200
    until(lambda: not list(heart.troubles(NOW)))
    heart.stop()
    assert not heart.is_alive()
    assert "s3cret" not in caplog.text + trouble.text


def test_nobody_who_looks_stops_the_heart(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = health(store, Clock())
    watch.look()
    assert watch.is_well()
    watch._looked_at_s -= 61
    assert not watch.is_well()
    assert watch.readiness()["reasons"] == ["health: nobody has looked for a while"]


def test_agents_in_other_partitions_than_their_ids_lead_to() -> None:
    worker = FakeWorker(Topic({}), {})
    probe = WorkerProbe(worker, by())  # type: ignore[arg-type]
    placement = worker.pulse.placement
    placement.see(event("a", NOW, NOW)[0], NOW, 3, 3)
    assert kinds(probe(NOW)) == []
    placement.see(event("b", NOW, NOW)[0], NOW, 3, 1)
    (trouble,) = probe(NOW)
    assert trouble.kind == "placement"
    assert "1 of 2 events that were looked at" in trouble.text
    assert "b is in 3, its id leads to 1" in trouble.text
    for number in range(1, 3):  # the last two windows count
        placement.see(event("a", NOW, NOW)[0], NOW + 601 * number, 3, 3)
    assert kinds(probe(NOW)) == []
