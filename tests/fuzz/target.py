"""A target: what is tried, and on what; and how plain data is damaged."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

SCALARS: Final = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([-1, 2**53, 2**63, 2**64, 10**400, -(10**18), 7 * 10**16])
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["\x00", "\x1b[2J", "a\nb", "x" * 5000, "2026-02-30T25:61:61Z", "1e999"])
)
VALUES: Final = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=8,
)


@dataclass(frozen=True)
class Target:
    """Something that takes whatever comes.

    Attributes
    ----------
    name
        For people.
    inputs
        Makes what it is tried on.
    check
        Raises if it does not bear that.
    """

    name: str
    inputs: st.SearchStrategy[Any]
    check: Callable[[Any], None]

    def run(self, examples: int, seed: int | None = None) -> int:
        """Try so many; how many it were. A failure shows the smallest input that fails."""
        tried = 0

        def attempt(given_input: Any) -> None:
            nonlocal tried
            tried += 1
            self.check(given_input)

        trial = given(self.inputs)(attempt)
        if seed is not None:
            trial = seeded(seed)(trial)
        settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )(trial)()
        return tried


@st.composite
def damaged(draw: st.DrawFn, data: Any) -> Any:
    """Plain data with something else in one to three places of it, or without them."""
    made = copy.deepcopy(data)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(made))
        if not places:
            break
        node, key = places[draw(st.integers(0, len(places) - 1))]
        if draw(st.booleans()):
            node[key] = draw(VALUES)
        else:
            del node[key]
    return made


@st.composite
def damaged_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes, cut somewhere and with some of them replaced."""
    begin = draw(st.integers(0, len(data)))
    end = draw(st.integers(begin, min(len(data), begin + 20)))
    return data[:begin] + draw(st.binary(max_size=20)) + data[end:]


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    keys = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        yield node, key
        yield from _places(node[key])
