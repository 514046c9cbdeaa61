from typing import Any

import pytest

from alerting.health import Condition
from alerting.inhibit import Cause, inhibited, of_health, of_trip
from detectors.finding import Anomaly
from tests.kit.anomalies import anomaly


def odd(**fields: Any) -> Anomaly:
    return anomaly(**{"detector": "flow", "calibration": "calibrated", **fields})


TRIP = of_trip("payroll-1", "t9")
(LAG,) = of_health([Condition("lag", "log", "an hour behind", 1.0)])
(BROKEN,) = of_health([Condition("detector", "new_target, drift", "KeyError", 1.0)])


@pytest.mark.parametrize(
    ("cause", "found", "explains"),
    [
        (TRIP, odd(), True),
        (TRIP, odd(calibration="declared"), True),
        (TRIP, odd(detector="containment", calibration="declared"), False),
        (TRIP, odd(agent_id="other"), False),
        (LAG, odd(detector="silence"), True),
        (LAG, odd(detector="silence", source="another"), False),
        (LAG, odd(detector="new_target"), False),
        (BROKEN, odd(detector="new_target"), True),
        (BROKEN, odd(detector="new_tool"), False),
        (BROKEN, odd(detector="drift", calibration="declared"), True),
        (BROKEN, odd(detector="boundary", calibration="declared"), False),
        (
            of_health([Condition("detector", "boundary", "x", 1.0)])[0],
            odd(detector="boundary"),
            False,
        ),
    ],
)
def test_a_cause_explains_its_followers_and_nothing_else(
    cause: Cause, found: Anomaly, explains: bool
) -> None:
    causes = [of_trip("nobody", "t1"), cause]
    assert inhibited(found, causes) == (cause if explains else None)


def test_of_the_monitors_troubles_only_those_of_sources_and_detectors_explain_anything() -> None:
    assert of_health([Condition("receiver", "slack", "down", 1.0)]) == []
    assert LAG.words == "lag: an hour behind"
