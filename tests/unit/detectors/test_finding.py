import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.finding import Severity, anomaly_id

texts = st.text(max_size=5)


def test_an_id_is_the_same_wherever_it_is_made() -> None:
    assert anomaly_id("payroll-1", "new_tool", "wire", "t1") == "fe01fc13faa91afc3738"


@given(st.tuples(texts, texts, texts, texts), st.tuples(texts, texts, texts, texts))
def test_no_choice_of_names_makes_two_anomalies_one(
    one: tuple[str, str, str, str], other: tuple[str, str, str, str]
) -> None:
    assert (anomaly_id(*one) == anomaly_id(*other)) == (one == other)


def test_severity_is_ordered_and_read_from_its_label() -> None:
    assert Severity.parse("high") is Severity.HIGH > Severity.MEDIUM
    with pytest.raises(ValueError, match="low, medium, high, critical"):
        Severity.parse("urgent")
