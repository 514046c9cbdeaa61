"""Targets: what tools are used on, and how often a new one turns up."""

from random import Random
from typing import Final, Literal

Shape = Literal["path", "mailbox", "order", "table", "host", "account", "query"]

_FOLDERS: Final = ("reports", "invoices", "drafts", "contracts", "exports", "notes", "archive")
_NAMES: Final = ("ana", "ben", "chen", "dora", "emil", "fatou", "goran", "hana", "ines", "jon")
_WORDS: Final = ("price", "stock", "tax", "refund", "status", "meeting", "release", "travel")
_MOST: Final = 10**9


class Targets:
    """A pool of targets of one shape, some used often, with new ones for ever.

    Zipf: the n-th commonest is used with probability about 1 / n**(1 + 1 / openness), so that n
    uses are of about n**(openness / (1 + openness)) targets.

    Parameters
    ----------
    shape
        What a target looks like.
    openness
        Above 0: with 0.3 new ones soon are rare, 6 is an explorer who never stops finding some.
    owner
        Makes one agent's names differ from another's.
    """

    def __init__(self, shape: Shape, openness: float, owner: str) -> None:
        self.shape = shape
        self.openness = openness
        self.owner = owner
        self._serial = 1000

    def pick(self, rng: Random) -> str:
        """One target."""
        if self.shape == "order":
            self._serial += 1 + int(rng.random() * 3)
            return f"ORDER-{self._serial}"
        rank = int(min(_MOST, (1.0 - rng.random()) ** -self.openness))
        return self._name(rank)

    def _name(self, rank: int) -> str:
        match self.shape:
            case "path":
                folder = _FOLDERS[rank % 7] if rank < 400 else f"{_FOLDERS[rank % 7]}-{rank // 400}"
                return f"/srv/{self.owner}/{folder}/{_WORDS[rank % 8]}-{rank}.md"
            case "mailbox":
                # Every third is a customer's or a partner's, several at one domain.
                home = f"partner{rank // 12}.example" if rank % 3 == 2 else "corp.example"
                return f"{_NAMES[rank % 10]}.{rank}@{home}"
            case "host":
                return f"www{rank % 3}.site{rank}.example"
            case "account":
                return f"DE{rank * 7919 % 10**10:010d}"
            case "query":
                return f"{_WORDS[rank % 8]} {_WORDS[rank // 8 % 8]} {rank}"
            case _:
                return f"{self.shape}_{rank}"
