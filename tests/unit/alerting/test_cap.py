import pytest

from alerting.cap import capped
from alerting.policy import Folded, fold
from detectors.finding import Anomaly, Severity
from tests.kit.anomalies import NOW, anomaly


def learned(name: str = "a1", **fields: object) -> Anomaly:
    return anomaly(name, **{"calibration": "calibrated", "p_value": 1e-4, **fields})


def take(
    one: Anomaly, before: Folded | None = None, per_week: float | None = 2, spent: int = 2
) -> Folded:
    folded = fold(before.alert if before else None, one, NOW, 3600)
    return capped(folded, one, per_week, lambda: spent)


@pytest.mark.parametrize(
    ("per_week", "spent", "charge", "news"),
    [
        (None, 10**9, "charged", "opened"),
        (2, 1, "charged", "opened"),
        (2, 2, "capped", None),
        (0, 0, "capped", None),
        (0.5, 0, "capped", None),
    ],
)
def test_an_alert_beyond_the_cap_is_not_told(
    per_week: float | None, spent: int, charge: str, news: str | None
) -> None:
    folded = take(learned(), per_week=per_week, spent=spent)
    assert (folded.alert.charge, folded.news) == (charge, news)
    assert folded.alert.anomaly_count == 1, "it is kept all the same"


@pytest.mark.parametrize(
    "one", [anomaly(), learned(severity=Severity.CRITICAL)], ids=["declared", "critical"]
)
def test_declared_and_critical_ones_always_pass_and_release(one: Anomaly) -> None:
    folded = take(one, spent=10**9)
    assert (folded.alert.charge, folded.news) == ("free", "opened")
    held_back = take(learned(severity=Severity.LOW))
    released = take(one.model_copy(update={"anomaly_id": "b"}), held_back)
    assert (released.alert.charge, released.news) == ("free", "opened")
    assert released.alert.anomaly_count == 2
    assert take(learned("c"), released).news is None


def test_a_rise_below_critical_does_not_release() -> None:
    held_back = take(learned(severity=Severity.LOW))
    higher = take(learned("b"), held_back, spent=0)
    assert (higher.alert.charge, higher.news) == ("capped", None)
    assert higher.alert.severity == Severity.HIGH


def test_what_was_sent_once_goes_on_being_told() -> None:
    sent = take(learned(severity=Severity.LOW), spent=0)
    assert take(learned("b"), sent).news == "raised"


def test_the_fleet_is_asked_only_where_an_alert_is_opened() -> None:
    def never() -> int:
        raise AssertionError

    for one in (anomaly(), learned(severity=Severity.CRITICAL)):
        assert capped(fold(None, one, NOW, 3600), one, 2, never).news == "opened"
    one = learned()
    assert capped(fold(None, one, NOW, 3600), one, None, never).news == "opened"
