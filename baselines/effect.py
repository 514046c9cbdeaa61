"""What an action does to the world, where its producer does not say."""

import re
from collections.abc import Mapping
from typing import Final

from baselines.event import ActionEvent, Effect

_BY_VERB: Final[tuple[tuple[Effect, frozenset[str]], ...]] = (
    # Ordered: of two verbs in a name the more harmful one counts.
    (
        "destructive",
        frozenset(
            "delete remove drop destroy purge terminate wipe erase truncate revoke kill "
            "uninstall shutdown".split()
        ),
    ),
    (
        "external",
        frozenset(
            "send mail email post publish share transfer pay payment wire invite upload "
            "forward reply notify tweet message sms export".split()
        ),
    ),
    (
        "write",
        frozenset(
            "write create update add put set insert edit modify move rename copy push commit "
            "merge execute exec run install deploy start stop grant delegate book order "
            "checkout subscribe change submit approve refund schedule input".split()
        ),
    ),
    (
        "read",
        frozenset(
            "read get list search view fetch query describe find show lookup browse download "
            "select head count check verify login glob grep cat open scan inspect".split()
        ),
    ),
)
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_MAX_CACHED: Final = 4096


class EffectMap:
    """The effect of an event: reported, else configured, else inferred.

    It is inferred from the English verbs in the tool's name, then in the action; `unknown` where
    neither holds one.

    Parameters
    ----------
    overrides
        Effect by exact tool name, from the config.
    """

    def __init__(self, overrides: Mapping[str, Effect] | None = None) -> None:
        self._overrides = dict(overrides or {})
        self._cache: dict[tuple[str, str | None], str] = {}

    def of(self, event: ActionEvent) -> str:
        """The effect of one event."""
        if event.effect is not None:
            return event.effect
        key = (event.action, event.tool)
        effect = self._cache.get(key)
        if effect is None:
            if len(self._cache) >= _MAX_CACHED:
                self._cache.clear()  # names are the producer's choice: bounded, whatever it does
            effect = self._cache[key] = self.infer(*key)
        return effect

    def infer(self, action: str, tool: str | None) -> str:
        """The effect of an action with a tool where the producer did not report one."""
        if tool is not None and tool in self._overrides:
            return self._overrides[tool]
        for name in (tool, action):
            words = {word.lower() for word in _WORDS.findall(name or "")}
            # The first word is the verb in nearly every naming habit: get_sent_emails reads.
            first = next((w.lower() for w in _WORDS.findall(name or "")), "")
            for candidates in ({first}, words):
                for effect, verbs in _BY_VERB:
                    if candidates & verbs:
                        return effect
        return "unknown"
