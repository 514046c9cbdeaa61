from hypothesis import given
from hypothesis import strategies as st

from detectors.due import DueTimes

entries = st.lists(st.tuples(st.floats(0, 100), st.text(max_size=3)), max_size=50)


@given(entries, entries, st.floats(0, 100))
def test_those_whose_time_has_come_are_named_and_then_taken_in_order(
    stored: list[tuple[float, str]], added: list[tuple[float, str]], now_s: float
) -> None:
    due = DueTimes(stored)
    for due_s, agent_id in added:
        due.add(due_s, agent_id)
    everyone = sorted(stored + added)
    ripe = [agent_id for due_s, agent_id in everyone if due_s <= now_s]
    assert sorted(due.by(now_s)) == sorted(ripe)
    assert len(due) == len(everyone)
    assert list(due.take(now_s)) == ripe
    assert len(due) == len(everyone) - len(ripe)
    assert due.by(now_s) == []
