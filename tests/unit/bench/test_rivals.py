"""The environment of the rivals has every library that the floors they run import."""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FLOORS = ("baselines", "detectors")


def imported(source: str) -> set[str]:
    """Top-level names of the modules that a source imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


def test_the_lock_of_the_rivals_names_what_the_lower_floors_import() -> None:
    lock = (ROOT / "tests/bench/rivals/requirements.lock").read_text()
    locked = {
        name.replace("-", "_") for name in re.findall(r"^([a-z0-9_-]+)==", lock, re.MULTILINE)
    }
    needed = {
        name
        for floor in FLOORS
        for path in (ROOT / floor).rglob("*.py")
        for name in imported(path.read_text())
    }

    libraries = needed - set(sys.stdlib_module_names) - set(FLOORS)

    assert {"river", "zstandard"} <= libraries
    assert libraries <= locked
