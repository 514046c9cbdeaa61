from pathlib import Path

import pytest

from detectors.boundary import Boundary
from detectors.new_agent import NewAgent
from monitor import config, policies
from monitor.errors import UsageError

WHOLE = """
[agents]
declared = ["payroll-*"]

[[boundaries]]
roles = ["payroll"]
targets = ["*@corp.example"]
hours = "Mon-Fri 08:00-18:00"
timezone = "Europe/Berlin"
mode = "shadow"

[[boundaries.permits]]
until = 2026-12-01T00:00:00+01:00
since = "2026-11-30T08:00:00Z"
reason = "year end, INC-42"
hours = ["Sat 08:00-18:00", "Sun"]
verbs = ["delete"]
"""


def load(tmp_path: Path, text: str) -> config.Config:
    path = tmp_path / "tripswitch.toml"
    path.write_text(text, "utf-8")
    return config.load(path)


def test_a_whole_boundary_becomes_limits(tmp_path: Path) -> None:
    chosen = load(tmp_path, WHOLE)
    limits = policies.limits(chosen.boundaries[0])
    assert limits.shadow
    assert limits.hours is not None
    assert limits.hours.said == "Mon-Fri 08:00-18:00 Europe/Berlin"
    (permit,) = limits.permits
    assert (permit.since_s, permit.until_s) == (1_796_025_600.0, 1_796_079_600.0)
    assert permit.hours is not None
    kinds = [type(detector) for detector in policies.detection(chosen).detectors]
    assert {Boundary, NewAgent} <= set(kinds)


def test_with_nothing_declared_neither_detector_runs() -> None:
    kinds = [type(detector) for detector in policies.detection(config.load()).detectors]
    assert not {Boundary, NewAgent} & set(kinds)


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("Europe/Berlin", "Mars/Olympus", "boundaries.0.timezone: .*no time zone"),
        ("Europe/Berlin", "../etc/passwd", "boundaries.0.timezone: .*no time zone"),
        ("Mon-Fri 08", "Mon-Frx 08", "boundaries.0.hours: .*is no day"),
        ("Sat 08:00-18:00", "Sat 8-18", "boundaries.0.permits.0.hours: .*no interval"),
        ('["Sat 08:00-18:00", "Sun"]', "[]", "boundaries.0.permits.0.hours"),
        ("2026-12-01T00:00:00+01:00", "2026-12-01T00:00:00", "permits.0.until: .*its offset"),
        ("2026-12-01T00:00:00+01:00", "2026-12-01", "permits.0.until: .*its offset"),
        ("2026-12-01T00:00:00+01:00", "1800000000", "permits.0.until: .*its offset"),
        ("2026-12-01T00:00:00+01:00", "2026-11-01T00:00:00Z", "since is not before until"),
        ("reason", "reasons", "did you mean 'reason'"),
        ('"shadow"', '"quiet"', "boundaries.0.mode"),
        ("declared", "declare", "did you mean 'declared'"),
    ],
)
def test_a_fault_names_its_key(tmp_path: Path, was: str, becomes: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        load(tmp_path, WHOLE.replace(was, becomes, 1))
