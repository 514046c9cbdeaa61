"""Whether a source moves, and how long it usually rests."""

from pathlib import Path

from monitor.health_source import LogEnds, Pauses
from monitor.sources import Place
from monitor.sources.log_file import LogFileSource
from tests.kit.clock import NOW
from tests.kit.events import raw_event
from tests.kit.health import FakeWorker, Topic, kinds, source_probe


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
