"""Each enforcement point: whether it could act."""

from collections.abc import Iterator
from contextlib import ExitStack

from alerting.ports import RevokeError
from monitor.checkup.verdict import Verdict, failed, ok
from monitor.config import Config
from monitor.enforcement import enforcement_points, point_limits


def check_points(config: Config) -> Iterator[Verdict]:
    """Ask each; none is given an order."""
    advice = "orders will not take effect there: mend it, or take it out of [[points]]"
    for name, why in asked_points(config):
        about = f"point {name}"
        yield ok(about, "ready") if why is None else failed(about, why, advice)


def asked_points(config: Config) -> Iterator[tuple[str, str | None]]:
    """The name of each, and why it could not act; None if it could."""
    limits = point_limits(config)
    with ExitStack() as stack:
        for name, point in enforcement_points(config, strict=False).items():
            stack.callback(point.close)
            try:
                point.check(limits[name].timeout_s)
            except RevokeError as error:
                yield name, str(error)
            except Exception as error:  # a plugin's; its text may hold a secret
                yield name, f"failed with {type(error).__name__}"
            else:
                yield name, None
