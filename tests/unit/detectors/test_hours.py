from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from detectors.hours import Hours

BERLIN = ZoneInfo("Europe/Berlin")


def holds(hours: Hours, moment: str) -> bool:
    return hours.hold(datetime.fromisoformat(moment).timestamp())


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("Mon-Fri 08:00-18:00", "2026-02-02T08:00Z", "2026-02-02T18:00Z"),
        ("Mon-Fri 08:00-18:00", "2026-02-06T17:59Z", "2026-02-07T09:00Z"),
        ("Sat,Sun", "2026-02-07T00:00Z", "2026-02-09T00:00Z"),
        ("fri-mon", "2026-02-09T23:59Z", "2026-02-10T00:00Z"),
        ("22:00-06:00", "2026-02-03T05:59Z", "2026-02-03T06:00Z"),
        ("Fri 22:00-06:00", "2026-02-07T05:00Z", "2026-02-06T05:00Z"),
        ("Sun 22:00-06:00", "2026-02-09T01:00Z", "2026-02-08T01:00Z"),
        ("Mon 12:00-24:00", "2026-02-02T23:59Z", "2026-02-03T00:00Z"),
        ("Mon 12:00-00:00", "2026-02-02T23:59Z", "2026-02-03T00:00Z"),
        ("00:00-24:00", "2026-02-02T00:00Z", None),
    ],
)
def test_intervals_of_the_week(text: str, inside: str, outside: str | None) -> None:
    hours = Hours.parse([text], UTC)
    assert holds(hours, inside)
    assert outside is None or not holds(hours, outside)


def test_hours_follow_summer_time() -> None:
    hours = Hours.parse(["08:00-18:00"], BERLIN)
    assert holds(hours, "2026-03-27T07:00Z")
    assert not holds(hours, "2026-03-27T06:30Z")
    assert holds(hours, "2026-03-30T06:30Z"), "an hour earlier by UTC since 29 March"
    assert not holds(hours, "2026-03-30T16:00Z")
    assert not holds(hours, "2026-10-26T06:30Z"), "and later again since 25 October"


def test_a_night_through_the_change_of_the_clock() -> None:
    night = Hours.parse(["Sat 22:00-04:00"], BERLIN)
    # On 25 October 2026 the hour from 2 to 3 comes twice; on 29 March it does not come.
    assert all(holds(night, f"2026-10-25T0{hour}:30Z") for hour in range(3))
    assert not holds(night, "2026-10-25T03:00Z")
    assert holds(night, "2026-03-29T01:59Z")
    assert not holds(night, "2026-03-29T02:00Z")


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "always", "Mon-Wed-Fri", "Montag", "8:00-18:00", "08:00", "08:00-25:00",
        "08:60-09:00", "09:00-09:00", "24:00-06:00", "Mon 08:00-18:00 Tue", "Mon-", "x" * 10_000,
    ],
)  # fmt: skip
def test_what_is_no_interval_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"such as|is no|no length") as error:
        Hours.parse([text], UTC)
    assert len(str(error.value)) < 250
