"""On which databases a test runs: on both, unless it takes long and is not about them."""

from typing import Final

import pytest

ON_SQLITE: Final = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
"""Once, for a test that restarts a broker or starts processes: the whole run must end in time."""
