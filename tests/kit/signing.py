"""How a producer signs, as the README tells it."""

import re
from functools import cache
from pathlib import Path
from typing import Any

_README = Path(__file__).resolve().parents[2] / "README.md"


def signed(value: bytes, key: str, secret: bytes) -> list[tuple[str, bytes | None]]:
    """The headers of a signed record."""
    return [_told()(value, key, secret)]


@cache
def _told() -> Any:
    (block,) = re.findall(
        r"```python\n(def signature.*?)```", _README.read_text("utf-8"), re.DOTALL
    )
    made: dict[str, Any] = {}
    exec(block.partition("\nproducer")[0], made)
    return made["signature"]
