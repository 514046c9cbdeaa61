"""Parts of other packages, found by entry point: a factory that is called with its settings."""

from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from alerting.render import clean
from monitor.config_checks import nearest
from monitor.errors import UsageError


def open_plugin(
    group: str, plugin: str, settings: Mapping[str, Any], what: str, methods: Sequence[str]
) -> Any:
    """A plugin's part.

    Parameters
    ----------
    group
        Of entry points.
    plugin
        Its name there.
    what, methods
        What it is to be, in words, and what that can do.

    Raises
    ------
    UsageError
        If it is not installed, cannot be loaded, refuses its settings, or is no such thing. The
        text of a `ValueError` is shown, for that is how a factory says what is wrong with its
        settings; any other text is left out: it may hold a secret.
    """
    entry = _find(group, plugin)
    try:
        factory = entry.load()
    except Exception as error:
        said = f": {error}" if isinstance(error, ImportError | AttributeError) else ""
        raise UsageError(
            f"plugin {plugin} ({entry.value}) cannot be loaded: {type(error).__name__}"
            f"{clean(said, 300)}"
        ) from None
    try:
        part = factory(dict(settings))
    except ValueError as error:
        raise UsageError(f"plugin {plugin}: its settings: {clean(str(error), 300)}") from None
    except Exception as error:
        raise UsageError(f"plugin {plugin} failed to start with {type(error).__name__}") from None
    missing = [name for name in methods if not callable(getattr(part, name, None))]
    if missing:
        raise UsageError(
            f"plugin {plugin} ({entry.value}) is no {what}: it has no {', '.join(missing)}"
        )
    return part


def _find(group: str, plugin: str) -> EntryPoint:
    installed = {entry.name: entry for entry in entry_points(group=group)}
    if plugin not in installed:
        there = ", ".join(sorted(installed)) or "none"
        raise UsageError(
            f"no plugin {plugin!r:.60} is installed{nearest(plugin, installed)}; there are: {there}"
        )
    return installed[plugin]
