"""Real services for the tests: which others were named, and what to do where there are none."""

import os
from typing import Final, NoReturn

import pytest

# Taken out of the environment, because the settings refuse variables that they do not know.
OTHER_KAFKA: Final = os.environ.pop("TRIPSWITCH_TEST_KAFKA", None)
OTHER_POSTGRES: Final = os.environ.pop("TRIPSWITCH_TEST_POSTGRES", None)


def unavailable(reason: str) -> NoReturn:
    """End the test: in CI a missing service is a failure, elsewhere a skip with its reason."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
