"""What is wrong at a moment, as probes see it."""

import sys
import threading
import time
from pathlib import Path

import pytest

from monitor.dead_letter import DeadLetter
from monitor.health_probes import WorkerProbe, lanes_probe, serve_probe
from monitor.kill_lane import Driver
from monitor.serve_child import ServeChild
from monitor.sources import Gone, Part
from tests.kit.clock import NOW
from tests.kit.health import FakeWorker, Held, Topic, by, event, kinds, source_probe
from tests.kit.metric_names import idle_service
from tests.kit.waiting import until

HOME = Part("t", 3)


def test_a_partition_that_has_more_and_is_not_read_is_stalled() -> None:
    topic = Topic({0: 10, 1: 5})
    worker = FakeWorker(topic, {0: Held(4), 1: Held(5)})
    probe = source_probe(topic, worker, stalled_s=60)
    assert kinds(probe(NOW)) == []
    (stalled,) = probe(NOW + 60)
    assert stalled.kind == "stalled"
    assert stalled.text == "nothing is read of partition topic/0 though it has more"
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
    probe = source_probe(topic, FakeWorker(topic, {0: Held()}), stalled_s=60)
    assert kinds(probe(NOW)) == []
    (stalled,) = probe(NOW + 60)
    assert "did not answer" in stalled.text
    topic.why = None
    assert kinds(probe(NOW + 61)) == []


def test_lag_is_told_by_records_and_by_age() -> None:
    topic = Topic({0: 5000, 1: 10})
    worker = FakeWorker(topic, {0: Held(1000, 0, NOW - 400), 1: Held(10, 10, NOW - 9999)})
    (lag,) = source_probe(topic, worker, lag_s=300, checkpoint_s=9999)(NOW)
    assert lag.text == "4,000 records behind; what is read now is 7 minutes old"
    assert kinds(source_probe(topic, worker, lag_s=401)(NOW)) == []


def test_a_transaction_s_marker_at_the_end_of_a_topic_at_rest_is_no_lag() -> None:
    topic = Topic({0: 11, 1: 10}, only_markers=True)
    worker = FakeWorker(topic, {0: Held(10, 10, NOW - 400), 1: Held(10, 10, NOW - 400)})
    probe = source_probe(topic, worker, lag_s=300, stalled_s=600)
    for later_s in range(0, 1000, 100):
        assert kinds(probe(NOW + later_s)) == []
    assert (probe.behind, probe.behind_s, topic.asked) == (0, 0.0, 1)
    topic.only_markers, topic.ends[0] = False, 13
    (lag,) = probe(NOW + 1000)
    assert lag.text == "3 records behind; what is read now is 23 minutes old"


def test_records_that_were_deleted_unread_are_told_for_an_hour() -> None:
    topic = Topic({})
    worker = FakeWorker(topic, {})
    probe = WorkerProbe(worker, by())  # type: ignore[arg-type]
    assert kinds(probe(NOW)) == []
    topic.gone = Gone(1500, "topic t partition 3: offsets 0 to 1499 (1500)")
    (unread,) = probe(NOW + 1)
    assert unread.kind == "unread"
    assert unread.text == (
        "1,500 records of the last hour were deleted before they were read, the last: topic t "
        "partition 3: offsets 0 to 1499 (1500)"
    )
    assert kinds(probe(NOW + 61)) == ["unread"]
    assert kinds(probe(NOW + 3700)) == []


def test_a_loop_that_hangs_checkpoints_and_dead_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = FakeWorker(Topic({}), {0: Held(5, 3)})
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


def test_who_speaks_in_another_s_name_is_no_mere_dead_letter() -> None:
    worker = FakeWorker(Topic({}), {})
    probe = WorkerProbe(worker, by())  # type: ignore[arg-type]
    assert kinds(probe(NOW)) == []
    why = "not signed, as events of this agent have to be (got agent 'a\x1b[2J')"
    letters = [DeadLetter("topic", 3, 17, why, b"", NOW, "impostor")] * 2
    worker.counts.reject(letters)
    worker.pulse.see_refused(letters)
    (impostor,) = probe(NOW + 1)
    assert impostor.kind == "impostor"
    assert impostor.text.startswith("2 events of the last hour are not from who may speak for")
    assert "the last at topic/3, offset 17: not signed" in impostor.text
    assert "\x1b" not in impostor.text
    worker.counts.reject([letters[0]._replace(kind="malformed")])
    assert kinds(probe(NOW + 2)) == ["dead_letters", "impostor"]
    assert kinds(probe(NOW + 61)) == ["dead_letters", "impostor"]
    assert kinds(probe(NOW + 3700)) == []


def test_a_lane_that_ended_is_told_and_no_other_thread() -> None:
    until_told = threading.Event()
    names = ("kill-lane", "dispatch-slack", "slack-desk", "attempt at gate")
    lanes = [threading.Thread(target=until_told.wait, name=name) for name in names]
    for lane in lanes:
        lane.start()
    probe = lanes_probe()
    assert kinds(probe(NOW)) == []
    until_told.set()
    for lane in lanes:
        lane.join()
    assert {(one.kind, one.subject) for one in probe(NOW)} == {
        ("thread", name) for name in names[:3]
    }


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_lanes_of_a_running_service_are_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = threading.Event()

    def look(_driver: Driver) -> None:
        ends.wait()
        raise SystemExit

    monkeypatch.setattr(Driver, "look", look)
    monkeypatch.setattr("monitor.service.collect_rarely", lambda: None)  # it is for a process
    monkeypatch.setattr("monitor.service._SWITCH_INTERVAL_S", sys.getswitchinterval())
    service = idle_service(tmp_path)
    watched = len(service.health.probes)
    running = threading.Thread(target=service.run)
    running.start()
    try:
        until(lambda: len(service.health.probes) > watched)
        probe = service.health.probes[-1]
        assert kinds(probe(NOW)) == []
        ends.set()
        until(lambda: [one.text for one in probe(NOW)] == ["the thread kill-lane has ended"])
    finally:
        ends.set()
        service.worker.stop()
        running.join()


def test_a_child_that_died_is_told() -> None:
    child = ServeChild(["true"])
    assert list(serve_probe(child)(NOW)) == []
    child.ended_at_s, child.ended = time.monotonic(), "exit code 4"
    (one,) = serve_probe(child)(NOW)
    assert "exit code 4" in one.text
    child.ended_at_s -= 61
    assert list(serve_probe(child)(NOW)) == []


def test_agents_in_other_partitions_than_their_ids_lead_to() -> None:
    worker = FakeWorker(Topic({}), {})
    probe = WorkerProbe(worker, by())  # type: ignore[arg-type]
    placement = worker.pulse.placement
    placement.see(event("a", NOW, NOW)[0], NOW, HOME, [HOME])
    assert kinds(probe(NOW)) == []
    placement.see(event("b", NOW, NOW)[0], NOW, HOME, [Part("t", 1)])
    (trouble,) = probe(NOW)
    assert trouble.kind == "placement"
    assert "1 of 2 events that were looked at" in trouble.text
    assert "b is in 3, its id leads to 1" in trouble.text
    for number in range(1, 3):  # the last two windows count
        placement.see(event("a", NOW, NOW)[0], NOW + 601 * number, HOME, [HOME])
    assert kinds(probe(NOW)) == []
