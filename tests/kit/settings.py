"""The example of the settings, with everything in it set."""

import itertools
import re

from monitor.example import render

ALTERNATIVES = {"secret_variable", "token_variable", "url_file", "url_variable"}
"""Keys that say in another way what the key before them says."""


def everything_set() -> str:
    """The example with every setting in it set."""
    number = itertools.count()
    lines = []
    for line in re.sub(r"^\[", "#[", render(), flags=re.MULTILINE).splitlines():
        if not re.match(r"#(?! |$)", line) or line[1:].split(" =")[0] in ALTERNATIVES:
            continue
        # what an array has several of is told apart by name
        lines.append(re.sub(r'^#(name = "[\w-]+)"', lambda m: f'#{m[1]}-{next(number)}"', line)[1:])
    return "\n".join(line if not line.startswith("[") else f"\n{line}" for line in lines)
