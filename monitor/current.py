"""The settings as they are at this moment: they change by a reload."""

from dataclasses import dataclass

from monitor.config import Config


@dataclass(slots=True)
class Current:
    """Held by whoever asks the settings again and again."""

    config: Config
