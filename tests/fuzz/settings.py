"""Settings files: each leads to settings, or to one line that says what is wrong."""

import contextlib
import tempfile
from pathlib import Path
from typing import Final

from hypothesis import strategies as st

from monitor import config, policies
from monitor.errors import UsageError
from monitor.example import toml
from monitor.producers import open_producers
from tests.fuzz.target import SCALARS, Target
from tests.kit.settings import everything_set

_WHOLE: Final = [line for line in everything_set().splitlines() if line]
_MAX_CHARS: Final = 20_000


def _line(was: str) -> st.SearchStrategy[str]:
    """What may stand in the place of a line."""
    name = was.partition(" = ")[0]
    other = SCALARS.filter(lambda value: not isinstance(value, float | None)).map(toml)
    odd = st.sampled_from(["inf", "-nan", "1e400", "1979-05-27", "{}", "[[1]]", "9" * 5000])
    deep = st.integers(1, 3000).map(lambda depth: "[" * depth + "]" * depth)
    return st.one_of(
        st.sampled_from(["", f"{was}\n{was}"]),
        st.text(max_size=30),
        (other | odd | deep).map(lambda value: f"{name} = {value}"),
    )


@st.composite
def _files(draw: st.DrawFn) -> bytes:
    """The example with everything set, of which some lines say something else."""
    lines = list(_WHOLE)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        lines[at] = draw(_line(lines[at]))
    return "\n".join(lines).encode("utf-8", "surrogatepass")


_PATH: Final = Path(tempfile.mkdtemp(prefix="tripswitch-fuzz-")) / "tripswitch.toml"


def _check(file: bytes) -> None:
    _PATH.write_bytes(file)
    try:
        chosen = config.load(_PATH)
    except UsageError as error:
        said = str(error)
    else:
        policies.detection(chosen)
        with contextlib.suppress(UsageError):
            open_producers(chosen)
        return
    assert 0 < len(said) < _MAX_CHARS
    assert len(said.splitlines()) == 1


SETTINGS: Final = Target("settings", _files() | st.binary(max_size=100), _check)
