"""Enforcement points of other packages, found by entry point.

A package names a factory in the group `tripswitch.enforcement_points`; it is called with the
point's `settings` and returns what `alerting.ports.EnforcementPoint` describes.
"""

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from alerting.ports import EnforcementPoint
from alerting.render import clean
from monitor.config_checks import nearest
from monitor.errors import UsageError

GROUP: Final = "tripswitch.enforcement_points"
_METHODS: Final = ("check", "revoke", "restore", "verify", "close")


def open_plugin(plugin: str, settings: Mapping[str, Any]) -> EnforcementPoint:
    """A plugin's point.

    Raises
    ------
    UsageError
        If it is not installed, cannot be loaded, refuses its settings, or is no enforcement
        point. The text of a `ValueError` is shown, for that is how a factory says what is wrong
        with its settings; any other text is left out: it may hold a secret.
    """
    entry = _find(plugin)
    try:
        factory = entry.load()
    except Exception as error:
        said = f": {error}" if isinstance(error, ImportError | AttributeError) else ""
        raise UsageError(
            f"plugin {plugin} ({entry.value}) cannot be loaded: {type(error).__name__}"
            f"{clean(said, 300)}"
        ) from None
    try:
        point: EnforcementPoint = factory(dict(settings))
    except ValueError as error:
        raise UsageError(f"plugin {plugin}: its settings: {clean(str(error), 300)}") from None
    except Exception as error:
        raise UsageError(f"plugin {plugin} failed to start with {type(error).__name__}") from None
    missing = [name for name in _METHODS if not callable(getattr(point, name, None))]
    if missing:
        raise UsageError(
            f"plugin {plugin} ({entry.value}) is no enforcement point: it has no "
            f"{', '.join(missing)}"
        )
    return point


def _find(plugin: str) -> EntryPoint:
    installed = {entry.name: entry for entry in entry_points(group=GROUP)}
    if plugin not in installed:
        there = ", ".join(sorted(installed)) or "none"
        raise UsageError(
            f"no plugin {plugin!r:.60} is installed{nearest(plugin, installed)}; there are: {there}"
        )
    return installed[plugin]
