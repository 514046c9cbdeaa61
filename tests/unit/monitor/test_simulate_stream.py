import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.config import StoreConfig
from monitor.ledger import grants
from monitor.simulate import Act, Fleet, Incident
from monitor.simulate.gateway import Desk, OpenGateway, RegistryGateway
from monitor.simulate.sink import FileSink, SinkError
from monitor.simulate.stream import Pace, send
from monitor.store import Store

START_S = 1_770_026_400.0  # 2026-02-02T10:00:00Z, a Monday


class Clock:
    """A clock that moves only while someone sleeps."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


class Memory:
    """A sink that remembers, and how long the clock had run at each write."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.taken: list[tuple[float, dict[str, object]]] = []
        self.keys: list[str] = []
        self.unflushed = 0

    def write(self, agent_id: str, record: bytes) -> None:
        self.keys.append(agent_id)
        self.taken.append((self.clock.now_s, json.loads(record)))
        self.unflushed += 1

    def flush(self) -> None:
        self.unflushed = 0

    def close(self) -> None: ...


class Refuses:
    """A gateway that refuses one agent, and counts how often it was asked."""

    def __init__(self, agent_id: str) -> None:
        self.agent_id = agent_id
        self.asked: list[tuple[str, str, float]] = []

    def allows(self, agent_id: str, scope: str, now_s: float) -> bool:
        self.asked.append((agent_id, scope, now_s))
        return agent_id != self.agent_id


def some_acts(count: int, incidents: tuple[Incident, ...] = ()) -> list[Act]:
    return list(itertools.islice(Fleet(1, 6, START_S, incidents).acts(), count))


def test_without_pace_nothing_waits_and_event_times_stay() -> None:
    clock, acts = Clock(5.0), some_acts(50)
    sink = Memory(clock)
    summary = send(acts, START_S, sink, OpenGateway(), Pace(clock=clock, sleep=clock.sleep))
    assert clock.slept == []
    assert sink.keys == [act.event.agent_id for act in acts]
    assert summary.events == 50
    assert (summary.first, summary.last) == (acts[0].event.time, acts[-1].event.time)


def test_speed_divides_the_simulated_time_and_nothing_waits_in_a_buffer() -> None:
    clock, acts = Clock(5.0), some_acts(20)
    sink = Memory(clock)

    def sleep(seconds: float) -> None:
        assert sink.unflushed == 0
        clock.sleep(seconds)

    send(acts, START_S, sink, OpenGateway(), Pace(10.0, clock=clock, sleep=sleep))
    for (at_s, _), act in zip(sink.taken, acts, strict=True):
        due_s = 5.0 + (act.event.time.timestamp() - START_S) / 10
        assert at_s == pytest.approx(due_s, abs=0.005)


def test_a_rate_holds_whatever_the_event_times() -> None:
    clock = Clock(5.0)
    send(
        some_acts(101), START_S, Memory(clock), OpenGateway(),
        Pace(rate=50.0, clock=clock, sleep=clock.sleep),
    )  # fmt: skip
    assert clock.now_s - 5.0 == pytest.approx(2.0, abs=0.01)


def test_live_events_carry_the_time_at_which_they_are_sent() -> None:
    clock = Clock(1_800_000_000.0)
    sink = Memory(clock)
    acts = some_acts(10)
    send(acts, START_S, sink, OpenGateway(), Pace(60, live=True, clock=clock, sleep=clock.sleep))
    assert sink.taken[0][1]["time"] != acts[0].event.time.isoformat()
    assert all(str(event["time"]).startswith("2027-01-15T08:0") for _, event in sink.taken)


def test_stop_ends_it_in_the_middle_of_a_wait() -> None:
    clock = Clock(0.0)
    pace = Pace(1.0, clock=clock, sleep=clock.sleep)
    summary = send(
        some_acts(200), START_S, Memory(clock), OpenGateway(), pace,
        stop=lambda: clock.now_s > 3,
    )  # fmt: skip
    assert clock.now_s < 3.5
    assert summary.events < 200
    assert not summary.interrupted


def test_ctrl_c_ends_it_with_what_was_sent_so_far() -> None:
    def acts() -> Iterator[Act]:
        yield from some_acts(3)
        raise KeyboardInterrupt

    clock = Clock(0.0)
    sink = Memory(clock)
    summary = send(acts(), START_S, sink, OpenGateway(), Pace())
    assert (summary.events, summary.interrupted, sink.unflushed) == (3, True, 0)


def test_the_truth_names_exactly_the_events_of_incidents() -> None:
    clock = Clock(0.0)
    sink, aside = Memory(clock), Memory(clock)
    acts = some_acts(200, (Incident("runaway_loop", START_S + 60),))
    summary = send(acts, START_S, sink, OpenGateway(), Pace(), aside)
    told = [line for _, line in aside.taken]
    assert [line["event_id"] for line in told] == [
        act.event.event_id for act in acts if act.incident
    ]
    assert {line["incident"] for line in told} == {"runaway_loop-1"}
    assert summary.incidents["runaway_loop-1"] == len(told) > 0


def test_a_refused_action_is_denied_and_brings_nothing_back() -> None:
    act = next(act for act in some_acts(50) if act.event.bytes_in and act.event.records)
    denied = Desk(Refuses(act.event.agent_id)).attempt(act.event)
    assert denied is not None
    assert (denied.status, denied.bytes_in, denied.records) == ("denied", None, None)
    assert denied.event_id == act.event.event_id


def test_a_refused_agent_tries_again_now_and_then_and_others_work_on() -> None:
    acts = some_acts(3000)
    refused = acts[0].event.agent_id
    clock = Clock(0.0)
    sink, gateway = Memory(clock), Refuses(refused)
    summary = send(acts, START_S, sink, gateway, Pace())
    wanted = [act for act in acts if act.event.agent_id == refused]
    tried = [event for _, event in sink.taken if event["agent_id"] == refused]
    assert {event["status"] for event in tried} == {"denied"}
    assert 3 < len(tried) < len(wanted)
    assert summary.denied == len(tried)
    assert len(sink.taken) - len(tried) == len(acts) - len(wanted)


def test_a_refused_agent_that_is_allowed_again_works_at_once() -> None:
    act = some_acts(1)[0].event
    gateway = Refuses(act.agent_id)
    desk = Desk(gateway)
    assert getattr(desk.attempt(act), "status", None) == "denied"
    assert desk.attempt(act) is None
    gateway.agent_id = "another"
    later = act.model_copy(update={"time": act.time.fromtimestamp(START_S + 600, act.time.tzinfo)})
    assert desk.attempt(later) == later


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(StoreConfig(url=f"sqlite:///{tmp_path}/ledger.db"))
    yield opened
    opened.close()


def test_the_registry_allows_what_was_enrolled_and_nothing_else(store: Store) -> None:
    gateway = RegistryGateway(store)
    assert gateway.enrol({"payroll-01": {"send_email", "get_employee"}}, START_S) == 2
    assert gateway.allows("payroll-01", "send_email", START_S + 1)
    assert not gateway.allows("payroll-01", "delete_all", START_S + 1)
    assert not gateway.allows("payroll-02", "send_email", START_S + 1)


def test_enrolling_again_adds_only_what_was_never_there(store: Store) -> None:
    gateway = RegistryGateway(store)
    with store.ledger() as connection:
        grants.add(
            connection, agent_id="a", scope="read", reason="once", granted_by="os:ann",
            now_s=START_S, expires_at=START_S + 1,
        )  # fmt: skip
    assert gateway.enrol({"a": {"read", "write"}}, START_S + 10) == 1
    assert gateway.enrol({"a": {"read", "write"}}, START_S + 10) == 0
    assert not gateway.allows("a", "read", START_S + 10)


def test_a_file_is_written_anew_or_added_to(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for append in (False, False, True):
        sink = FileSink(path, append=append)
        sink.write("a", b"{}")
        sink.close()
    assert path.read_bytes() == b"{}\n{}\n"


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"nowhere/e\.jsonl: No such file"):
        FileSink(tmp_path / "nowhere" / "e.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_said() -> None:
    sink = FileSink(Path("/dev/full"), append=True)
    sink.write("a", b"{}")
    with pytest.raises(SinkError, match="/dev/full: No space left on device"):
        sink.flush()
    with pytest.raises(SinkError, match="No space left"):
        sink.close()
