"""Enforcement points of other packages.

A package names a factory in the group `tripswitch.enforcement_points`; it is called with the
point's `settings` and returns what `alerting.ports.EnforcementPoint` describes.
"""

from collections.abc import Mapping
from typing import Any, Final

from alerting.ports import EnforcementPoint
from monitor import plugins

GROUP: Final = "tripswitch.enforcement_points"
_METHODS: Final = ("check", "revoke", "restore", "verify", "close")


def open_plugin(plugin: str, settings: Mapping[str, Any]) -> EnforcementPoint:
    """A plugin's point.

    Raises
    ------
    UsageError
        If it cannot be had; saying why.
    """
    point: EnforcementPoint = plugins.open_plugin(
        GROUP, plugin, settings, "enforcement point", _METHODS
    )
    return point
