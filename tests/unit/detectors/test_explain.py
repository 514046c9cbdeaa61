import math
from typing import Any, get_args

import pytest

from baselines.hold import Held
from detectors.explain import chance, figure, not_learned, one_in, ordinary
from detectors.finding import Anomaly
from tests.kit.anomalies import anomaly


@pytest.mark.parametrize(
    ("p_value", "words"),
    [
        (0.0004, "about one in 2,500"),
        (1 / 12345, "about one in 12,000"),
        (0.3, "about one in 3"),
        (0.9, "about one in 1"),
        (1.0, "about one in 1"),
        (0.0, "less than one in 1,000,000"),
        (1e-300, "less than one in 1,000,000"),
        (math.nan, "less than one in 1,000,000"),
    ],
)
def test_a_p_value_is_said_in_words(p_value: float, words: str) -> None:
    assert one_in(p_value) == words


def test_how_rare_it_is_has_a_unit_and_says_what_it_is_worth() -> None:
    run: dict[str, Any] = {"detector": "hijack", "calibration": "calibrated", "p_value": 1 / 1300}
    assert chance(anomaly(**run)) == "about one in 1,300 runs"
    assert chance(anomaly(**run, trace_id=None)) == "about one in 1,300 hours"
    assert chance(anomaly(**{**run, "detector": "rate_spike"})) == "about one in 1,300 hours"
    assert "not calibrated" in chance(anomaly(**{**run, "calibration": "uncalibrated"}))
    assert chance(anomaly()) == "a fixed rule: nothing of it is by chance"


def test_what_would_not_have_fired() -> None:
    assert ordinary(anomaly(threshold=12.0, unit="calls per minute")) == "up to 12 calls per minute"
    assert ordinary(anomaly(threshold=0.0)) == "none of it"
    assert ordinary(anomaly(threshold=math.inf)) == "no limit is known"


def test_what_was_not_learned_is_named() -> None:
    assert not_learned(anomaly()) is None
    told = not_learned(anomaly(held="run"))
    assert told == "the steps of its run, “send_email” on “mallory@example.net” among them"
    told = not_learned(anomaly(held="run", target=None))
    assert told == "the steps of its run, “send_email” among them"
    assert not_learned(anomaly(held="window")) == "how much there was of it (actions)"
    for what in get_args(Held):
        assert not_learned(anomaly(held=what))


def test_figures() -> None:
    values = (12_345_678, 0.123456, 3e18, math.inf, -math.inf, math.nan, 1e308, -0.0)
    shown = ["12,345,678", "0.1235", "3.000e+18", "inf", "-inf", "nan", "inf", "0"]
    assert [figure(value) for value in values] == shown


def test_an_anomaly_with_any_number_can_be_read_again() -> None:
    odd = anomaly(
        threshold=math.inf, observed=-math.inf, p_value=math.nan, history=(math.nan, math.inf, 1.0)
    )
    assert Anomaly.model_validate_json(odd.model_dump_json()) == odd
