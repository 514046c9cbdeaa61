"""Exposure: what a run has been in touch with, as bits, and which calls bring which bit."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

from baselines.event import ActionEvent

UNTRUSTED: Final = 1
CONFIDENTIAL: Final = 2
"""The run read what strangers may have written; it met confidential data."""

CONFIDENTIAL_CLASSES: Final = frozenset({"confidential", "restricted"})

# Where the text of a stranger comes in: pages, mailboxes, tickets, comments, files that others put.
_OUTSIDE: Final = frozenset(
    "browse browser web webpage website page url http https fetch crawl scrape rss feed news "
    "mail mails email emails inbox mailbox message messages chat channel issue issues ticket "
    "tickets comment comments review reviews post posts tweet tweets forum attachment "
    "attachments upload uploads".split()
)
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_MAX_CACHED: Final = 4096
_URL: Final = re.compile(r"https?://", re.IGNORECASE)


class Exposure:
    """Which reads bring untrusted content or confidential data into a run.

    Parameters
    ----------
    untrusted_tools
        Shell patterns of tools that return what strangers may have written. None: it is inferred
        from the words of the tool's name, and from a target that is an http(s) address.
    confidential_targets
        Shell patterns of targets that are confidential, whatever class an event reports.
    """

    __slots__ = ("_cache", "_confidential", "_untrusted")

    def __init__(
        self,
        untrusted_tools: Sequence[str] | None = None,
        confidential_targets: Sequence[str] = (),
    ) -> None:
        self._untrusted = None if untrusted_tools is None else tuple(untrusted_tools)
        self._confidential = tuple(confidential_targets)
        self._cache: dict[tuple[str, str, str | None], int] = {}

    def of(self, event: ActionEvent, effect: str) -> int:
        """The bits that an event brings into its run by its tool and target.

        The data class is not looked at: it is a matter of the single event.
        """
        key = (effect, event.tool or event.action, event.target)
        bits = self._cache.get(key)
        if bits is None:
            if len(self._cache) >= _MAX_CACHED:
                self._cache.clear()  # names are the producer's choice: bounded, whatever it does
            bits = self._cache[key] = self._brought(*key)
        return bits

    def _brought(self, effect: str, tool: str, target: str | None) -> int:
        bits = 0
        if effect == "read" and self._is_untrusted(tool, target):
            bits |= UNTRUSTED
        if target and any(fnmatchcase(target, pattern) for pattern in self._confidential):
            bits |= CONFIDENTIAL
        return bits

    def _is_untrusted(self, tool: str, target: str | None) -> bool:
        if self._untrusted is not None:
            return any(fnmatchcase(tool, pattern) for pattern in self._untrusted)
        if target and _URL.match(target):
            return True
        return any(word.lower() in _OUTSIDE for word in _WORDS.findall(tool))
