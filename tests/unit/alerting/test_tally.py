from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from alerting.tally import MAX_VALUES, Tally
from tests.kit.anomalies import anomaly


def counted(targets: list[str]) -> Tally:
    tally = Tally()
    for target in targets:
        tally.add(anomaly(target=target, tool=None, role=None))
    return tally


@given(st.lists(st.sampled_from([f"x{n}" for n in range(200)] + ["many"] * 100), max_size=400))
def test_what_many_share_is_found_in_bounded_space(targets: list[str]) -> None:
    tally = counted(targets)
    value, count = Counter(targets).most_common(1)[0] if targets else ("", 0)
    if count > len(targets) / 2 + len(targets) / MAX_VALUES:
        (found,) = tally.most_common(0.5)
        assert found[:2] == ("target", value)
        assert found[2] <= count / len(targets) + 0.001
    assert len(str(tally.dump())) < 2000
    again = Tally.load(tally.dump())
    assert again.dump() == tally.dump()


def test_shares_are_of_all_alerts_and_the_largest_comes_first() -> None:
    tally = Tally()
    for number in range(10):
        tally.add(anomaly(role="r", target=None, tool=f"tool-{number // 6}"))
    assert tally.most_common(0.5) == (("role", "r", 1.0), ("tool", "tool-0", 0.6))
