"""Each enforcement point: whether it could act."""

from collections.abc import Iterator
from contextlib import ExitStack

from alerting.ports import RevokeError
from monitor.checkup.verdict import Verdict, failed, ok
from monitor.config import Config
from monitor.enforcement import enforcement_points, point_limits


def check_points(config: Config) -> Iterator[Verdict]:
    """Ask each; none is given an order."""
    limits = point_limits(config)
    with ExitStack() as stack:
        for name, point in enforcement_points(config, strict=False).items():
            stack.callback(point.close)
            about = f"point {name}"
            advice = "orders will not take effect there: mend it, or take it out of [[points]]"
            try:
                point.check(limits[name].timeout_s)
            except RevokeError as error:
                yield failed(about, str(error), advice)
            except Exception as error:  # a plugin's; its text may hold a secret
                yield failed(about, f"failed with {type(error).__name__}", advice)
            else:
                yield ok(about, "ready")
