from typing import Any

import pytest

from alerting.mute import Matcher, Mute, muting
from detectors.finding import Anomaly
from tests.kit.anomalies import anomaly


def odd(**fields: Any) -> Anomaly:
    return anomaly(**{"detector": "new_target", "calibration": "calibrated", **fields})


@pytest.mark.parametrize(
    ("matcher", "is_about"),
    [
        (Matcher(agent="payroll-*"), True),
        (Matcher(agent="payroll"), False),
        (Matcher(role="payroll", detector="new_*"), True),
        (Matcher(role="payroll", detector="bound*"), False),
        (Matcher(target="*@example.net"), True),
        (Matcher(detectors=("new_target",)), True),
        (Matcher(detectors=("new_*",)), False),
        (Matcher(tools_and_targets=(("send_email", "mallory@example.net"),)), True),
        (Matcher(tools_and_targets=(("send_email", "bob@example.net"),)), False),
    ],
)
def test_every_condition_that_is_given_holds(matcher: Matcher, is_about: bool) -> None:
    assert matcher.matches(odd()) is is_about
    assert matcher.matches(odd(calibration="declared")) is is_about, "a rule that learns nothing"


@pytest.mark.parametrize("detector", ["boundary", "containment"])
def test_a_breach_is_never_muted(detector: str) -> None:
    assert not Matcher(agent="*").matches(odd(detector=detector, calibration="declared"))
    assert not Matcher(detectors=(detector,)).matches(odd(detector=detector))


def test_what_an_event_does_not_say_fits_no_pattern() -> None:
    assert not Matcher(role="*").matches(odd(role=None))
    assert not Matcher(target="*").matches(odd(target=None))


def test_the_first_mute_that_is_about_it_counts() -> None:
    mutes = [Mute("m1", Matcher(agent="x")), Mute("m2", Matcher(agent="pay*")),
             Mute("m3", Matcher(role="payroll"))]  # fmt: skip
    assert muting(odd(), mutes) == "m2"
    assert muting(odd(agent_id="y", role="z"), mutes) is None
