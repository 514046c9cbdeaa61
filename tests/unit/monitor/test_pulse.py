"""The clocks of producers, as their events show them."""

from monitor.pulse import Skew
from tests.kit.clock import NOW
from tests.kit.health import event


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
