from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerting.alert import Alert
from alerting.policy import fold
from detectors.finding import Anomaly, Severity
from tests.kit.anomalies import NOW, anomaly

QUIET_S = 3600.0


def opened(first: Anomaly | None = None) -> Alert:
    return fold(None, first or anomaly(), NOW, QUIET_S).alert


def test_the_first_anomaly_opens_an_alert() -> None:
    folded = fold(None, anomaly(), NOW, QUIET_S)
    assert (folded.news, folded.closed) == ("opened", None)
    assert folded.alert.worst.anomaly_id == "a1"
    assert (folded.alert.state, folded.alert.anomaly_count) == ("open", 1)


def test_further_anomalies_join_it_in_silence() -> None:
    folded = fold(opened(), anomaly("a2", detector="loop"), NOW, QUIET_S)
    assert folded.news is None
    assert folded.alert.anomaly_count == 2
    assert folded.alert.detectors == ("boundary", "loop")


def test_a_rise_is_news_and_speaks_for_the_alert() -> None:
    folded = fold(opened(), anomaly("a2", severity=Severity.CRITICAL), NOW, QUIET_S)
    assert folded.news == "raised"
    assert folded.alert.worst.anomaly_id == "a2"


def test_after_quiet_it_is_another_story() -> None:
    later = NOW + timedelta(seconds=QUIET_S + 1)
    folded = fold(opened(), anomaly("a2"), later, QUIET_S)
    assert folded.news == "opened"
    assert folded.closed is not None
    assert (folded.closed.state, folded.closed.resolved_by) == ("resolved", "quiet")
    assert folded.closed.resolved_at == NOW + timedelta(seconds=QUIET_S)
    assert folded.alert.alert_id != folded.closed.alert_id


@given(st.lists(st.tuples(st.sampled_from(Severity), st.integers(0, 3000)), min_size=1))
def test_severity_only_rises_and_is_told_only_then(steps: list[tuple[Severity, int]]) -> None:
    current, now, told = None, NOW, []
    for number, (severity, wait_s) in enumerate(steps):
        now += timedelta(seconds=wait_s)
        folded = fold(current, anomaly(f"a{number}", severity=severity), now, QUIET_S)
        if current is not None:
            assert folded.alert.severity >= current.severity
            assert (folded.news == "raised") == (folded.alert.severity > current.severity)
        if folded.news:
            told.append(folded.alert.severity)
        current = folded.alert
    assert len(told) <= len(Severity)
