import pytest

from baselines import last_act
from tests.kit.events import START_S, event


def test_what_is_kept_of_an_event_makes_it_again_without_its_bulk() -> None:
    full = event(1, START_S, role="clerk", effect="read", attributes={"huge": "x" * 100_000})
    act = last_act.keep(full, 7)
    kept = last_act.recall(act, full.agent_id, full.role, None)
    assert act[0] == 7
    assert kept == full.model_copy(update={"attributes": None})
    assert last_act.load(last_act.dump(act)) == act
    assert last_act.load(last_act.dump(None)) is None
    with pytest.raises(ValueError, match="7 fields"):
        last_act.load([7, 0.0, ["e1"]])
