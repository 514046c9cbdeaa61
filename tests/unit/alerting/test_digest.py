from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from alerting.digest import Facts, details, message, period
from alerting.render import render

BERLIN = ZoneInfo("Europe/Berlin")
EIGHT = time(8)


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BERLIN)  # type: ignore[misc,arg-type]


def test_the_newest_period_that_is_over() -> None:
    assert period("daily", at(2026, 5, 6, 8, 0), EIGHT, "mon", BERLIN).until == at(2026, 5, 6, 8)
    assert period("daily", at(2026, 5, 6, 7, 59), EIGHT, "mon", BERLIN).until == at(2026, 5, 5, 8)
    weekly = period("weekly", at(2026, 5, 6, 12, 0), EIGHT, "mon", BERLIN)
    assert (weekly.since, weekly.until) == (at(2026, 4, 27, 8), at(2026, 5, 4, 8))
    early = period("weekly", at(2026, 5, 4, 7, 0), EIGHT, "mon", BERLIN)
    assert early.until == at(2026, 4, 27, 8)


def test_days_on_which_the_clock_is_changed() -> None:
    def hours(day: datetime) -> float:
        told = period("daily", day, EIGHT, "mon", BERLIN)
        return (told.until.timestamp() - told.since.timestamp()) / 3600

    assert hours(at(2026, 3, 29, 12)) == 23
    assert hours(at(2026, 10, 25, 12)) == 25
    leapt = period("daily", at(2026, 3, 29, 12), time(2, 30), "mon", BERLIN)
    assert leapt.until.timestamp() == datetime(2026, 3, 29, 1, 30, tzinfo=UTC).timestamp()


@given(
    st.integers(1_577_836_800, 1_893_456_000).map(lambda s: datetime.fromtimestamp(s, UTC)),
    st.times(),
    st.sampled_from(["daily", "weekly"]),
)
def test_every_moment_has_one_period_and_they_follow_on_each_other(
    now: datetime, clock: time, every: str
) -> None:
    clock = clock.replace(second=0, microsecond=0)
    one = period(every, now, clock, "wed", BERLIN)  # type: ignore[arg-type]
    assert one.until.timestamp() <= now.timestamp()
    assert now.timestamp() - one.until.timestamp() < (8 if every == "weekly" else 2) * 86_400
    before = one.until.astimezone(UTC) - timedelta(seconds=61)
    assert period(every, before, clock, "wed", BERLIN).until == one.since  # type: ignore[arg-type]


def test_what_it_tells() -> None:
    facts = Facts(
        owner="payroll team",
        period=period("daily", at(2026, 5, 6, 9), EIGHT, "mon", BERLIN),
        incidents=2,
        severities={"high": 2, "critical": 1},
        detectors={"loop": 3},
        kept_back={"muted": 1},
        marked=4,
        false=1,
        agents=9,
        learning=["a", "b"],
        learning_count=8,
        creep=[("a\x1b[2J", 0.5, "2 tools")],
        expiring=[("a", "mail.*", at(2026, 5, 7, 9))],
        standing=[("b", "pay", at(2026, 1, 1, 9))],
        unused=[("b", "pay", at(2026, 1, 1, 9))],
        trips=[("c", "by itself")],
        conditions=["lag of topic: far behind"],
    )
    told = dict(details(facts))
    assert told["incidents"] == "2, of 3 alerts"
    assert told["by severity"] == "2 high, 1 critical"
    assert told["false alarms"] == "1 of 4 that people judged (25%)"
    assert told["still learning"] == "8 of 9 agents: a; b and 6 more"
    assert told["grants about to end"] == "a mail.* on 2026-05-07"
    assert told["standing grants"] == "b pay since 2026-01-01"
    assert told["standing grants unused"] == "b pay since 2026-01-01: their agents did not act"
    shown = render(message(facts, at(2026, 5, 6, 9)))
    assert (
        shown.headline == "daily digest of payroll team, 2026-05-05 08:00 to 2026-05-06 08:00 CEST"
    )
    assert "\x1b" not in str(shown)
    assert len([label for label, _ in shown.facts]) >= len(told), "none is left out"
