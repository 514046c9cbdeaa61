"""A short form of `make fuzz`: what comes from outside raises only what is meant for it."""

import pytest

from tests.fuzz.__main__ import TARGETS
from tests.fuzz.target import Target


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_nothing_from_outside_is_a_crash(target: Target) -> None:
    target.run(60)
