"""Places: the targets of one tool, or of one agent, at three grains."""

from typing import Any

from baselines.target import Target
from baselines.vocabulary import Vocabulary


class Places:
    """Kinds, groups and texts of targets, each a vocabulary.

    Attributes
    ----------
    grains
        The vocabularies, from coarse to fine, as in `Target`.
    """

    __slots__ = ("grains",)

    def __init__(self) -> None:
        self.grains = (Vocabulary(), Vocabulary(), Vocabulary())

    @property
    def texts(self) -> Vocabulary:
        """The targets themselves."""
        return self.grains[2]

    @property
    def size(self) -> int:
        """How many bytes the terms take at most."""
        kinds, groups, texts = self.grains
        return kinds.size + groups.size + texts.size

    def grain(self, target: Target) -> int | None:
        """The coarsest grain at which the target is new; None if it is known as it stands."""
        (kinds, groups, texts), (kind, group, text) = self.grains, target
        if text in texts.known:
            return None  # and so are its group and its kind, unless they gave way since
        if kind not in kinds.known:
            return 0
        return 1 if group not in groups.known else 2

    def is_frequent(self, text: str) -> bool:
        """Whether a target itself is beyond surprise."""
        return self.grains[2].p_value(text) == 1.0

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same of it."""
        return [terms.dump() for terms in self.grains]

    @classmethod
    def load(cls, data: list[Any]) -> "Places":
        """Undo `dump`."""
        places = cls()
        kinds, groups, texts = (Vocabulary.load(terms) for terms in data)
        places.grains = (kinds, groups, texts)
        return places
