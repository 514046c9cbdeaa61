"""How often the watchtower looks at the trips."""

import time
from pathlib import Path

import pytest

from monitor import watchtower
from monitor.ledger import trips
from monitor.sources.log_file import LogFileSource
from monitor.store import Store
from monitor.watchtower import Watchtower


@pytest.mark.parametrize(("takes_s", "looks_in_a_second"), [(0.0, 5), (0.2, 2)])
def test_looks_that_take_long_are_fewer(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    takes_s: float,
    looks_in_a_second: int,
) -> None:
    looks = 0

    def watched(_ledger: object) -> list[trips.Watched]:
        nonlocal looks
        looks += 1
        time.sleep(takes_s)
        return []

    monkeypatch.setattr(trips, "watched", watched)
    monkeypatch.setattr(watchtower, "_REST", 10 if takes_s else 0)
    tower, source = Watchtower(2.0, 30.0), LogFileSource(tmp_path / "events.jsonl")
    for hundredth in range(101):
        tower.look(store, source, {}, 1000.0 + hundredth / 100)
        if takes_s:
            tower.reported(1000.0)  # which makes a quick one look again at once
    assert looks == looks_in_a_second
