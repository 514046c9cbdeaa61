from baselines.last_act import LastAct
from tests.kit.events import START_S, event


def test_what_is_kept_of_an_event_makes_it_again_without_its_bulk() -> None:
    full = event(1, START_S, role="clerk", effect="read", attributes={"huge": "x" * 100_000})
    act = LastAct.of(full, 7)
    kept = act.event(full.agent_id, full.role, None)
    assert act.offset == 7
    assert kept == full.model_copy(update={"attributes": None})
