"""A detector that is broken: told as a condition, its followers explained, and nobody stopped."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import select

from alerting.message import Message
from baselines.observation import Observation
from baselines.profile import Profile
from detectors.budget import Budget
from detectors.finding import Finding, Severity
from detectors.limits import Limits
from detectors.policy import Policy
from monitor.config import Config
from monitor.current import Current
from monitor.health import Health
from monitor.health_probes import WorkerProbe
from monitor.ledger import alerts
from monitor.owned import ANY
from monitor.store import Store
from monitor.store.schema import outbox
from tests.kit.events import START_S, raw_event
from tests.unit.monitor.test_worker import drain, make


class Broken:
    """Raises an error at `poison`; what else it finds is not to be relied on."""

    name = "broken, cracked"

    def judge(self, seen: Observation) -> Sequence[Finding]:
        if seen.tool == "poison":
            raise KeyError("a secret")
        if seen.tool != "odd":
            return ()
        return [
            Finding(
                detector="cracked", subject=seen.run, episode=seen.run, observed=1.0, expected=0.0,
                unit="events", threshold=0.0, p_value=1e-4, calibration="calibrated", text="odd",
                severity=Severity.HIGH,
            )
        ]  # fmt: skip


class Clock:
    now_s = START_S

    def __call__(self) -> float:
        return self.now_s


def kinds(store: Store) -> list[tuple[str, str]]:
    with store.read() as ledger:
        docs = ledger.execute(select(outbox.c.doc).order_by(outbox.c.seq)).scalars()
        found = [Message.model_validate_json(doc) for doc in docs]
    return [(one.kind, one.agent_id) for one in found if one.kind != "updated"]


def test_it_is_said_and_explains_what_it_finds_and_nothing_else(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detectors = (
        Broken(),
        *Policy.of(Budget(1.0), limits=[Limits(tools=("poison", "odd"))]).detectors,
    )
    policy = Policy.of(Budget(1.0))
    monkeypatch.setattr(
        "tests.unit.monitor.test_worker.POLICY", Policy(policy.rules, policy.effects, detectors)
    )
    log, clock = tmp_path / "events.jsonl", Clock()
    worker = make(store, log)
    watch = Health(
        store, Current(Config()), process="p", receivers=["slack"], clock=clock, wake=lambda: None,
        pulse=worker.pulse, probes=[WorkerProbe(worker, Current(Config()))],
    )  # fmt: skip
    number = 0

    def act(agent_id: str, tool: str) -> None:
        nonlocal number
        number += 1
        with log.open("ab") as file:
            file.write(raw_event(number, START_S + number, agent_id=agent_id, tool=tool) + b"\n")
        drain(worker)

    act("early", "odd")
    act("a", "poison")
    assert worker.counts.events == 2
    watch.look()
    (held,) = watch.held()
    assert (held.kind, held.subject) == ("detector", "broken, cracked")
    assert "KeyError in monitor/test_broken_detector.py:" in held.text
    assert "a secret" not in held.text
    assert f"{log}/0, offset " in held.text
    assert watch.readiness()["conditions"][0]["condition"] == "detector"
    assert watch.is_well(), "agents are watched all the same"
    act("late", "odd")
    act("b", "rm")
    assert kinds(store) == [("opened", "early"), ("health", ""), ("opened", "b")]
    with store.read() as ledger:
        late = alerts.latest(ledger, ["late"])["late"]
    assert (late.inhibited_by or "").startswith("detector: events could not be judged for broken")
    watch.look()
    clock.now_s += 599
    watch.look()
    assert watch.held(), "ten minutes after the last error"
    clock.now_s += 10
    watch.look()
    assert watch.held() == ()
    assert kinds(store)[-1] == ("health_over", "")
    act("after", "odd")
    assert kinds(store)[-1] == ("opened", "after")


def test_an_event_that_cannot_be_learned_stops_nobody(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn = Profile.learn

    def fail(self: Profile, seen: Observation, *holds: object) -> None:
        if seen.tool == "poison":
            raise ZeroDivisionError
        learn(self, seen, *holds)  # type: ignore[arg-type]

    monkeypatch.setattr(Profile, "learn", fail)
    log = tmp_path / "events.jsonl"
    lines = [raw_event(n, START_S + n, tool="poison" if n % 2 else "fine") for n in range(10)]
    log.write_bytes(b"".join(line + b"\n" for line in lines))
    worker = make(store, log)
    drain(worker)
    assert worker.counts.events == 10
    (owned,) = worker.owned.values()
    assert owned.shard.faults[ANY].count == 5
    assert owned.shard.profiles["payroll-1"].events == 5
    assert [one.subject for one in WorkerProbe(worker, Current(Config()))(START_S)] == [ANY]
