"""Texts with `$agent_id` in them, filled in so that hostile values stay values.

Values are put into the strings of finished data, never into its encoded form: a body is encoded
after they went in, a path and a header encode each value before. So no value can end a string,
begin a parameter or a header, or leave its place in a path.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from string import Template
from typing import Any, Final
from urllib.parse import quote

from alerting.wire.answer import WireError

_HEADER_SAFE: Final = "!\"#$&'()*+,/:;<=>?@[\\]^`{|}"
"""What may stand in a header as it is, beside letters, digits and `_.-~`."""


def check(text: str, known: Collection[str], alone: Collection[str] = ()) -> str:
    """Refuse a text with a placeholder that does not exist.

    Parameters
    ----------
    text
        What the settings say.
    known
        The placeholders that may be used here.
    alone
        Those of them that stand for data, and so must be the whole text.

    Raises
    ------
    ValueError
        Naming the placeholder and those that there are.
    """
    template = Template(text)
    if not template.is_valid():
        raise ValueError(f"{text!r}: a $ begins a placeholder; write $$ for a dollar sign")
    for name in template.get_identifiers():
        if name not in known:
            raise ValueError(f"unknown placeholder ${name}; there are ${', $'.join(known)}")
        if name in alone and text not in (f"${name}", f"${{{name}}}"):
            raise ValueError(f"{text!r}: ${name} is a table and must stand alone")
    return text


def check_tree(tree: Any, known: Collection[str], alone: Collection[str] = ()) -> Any:
    """Refuse data with an unknown placeholder in any of its strings, keys not included."""
    for leaf in leaves(tree):
        check(leaf, known, alone)
    return tree


def fill(text: str, values: Mapping[str, Any]) -> str:
    """The text with its values as they are; for what is encoded afterwards."""
    return Template(text).substitute(values)


def fill_tree(tree: Any, values: Mapping[str, Any]) -> Any:
    """Data with each string filled in; a placeholder alone becomes the value itself."""
    match tree:
        case str():
            alone = re.fullmatch(r"\$(?:(\w+)|\{(\w+)\})", tree, re.ASCII)
            return values[alone[1] or alone[2]] if alone else fill(tree, values)
        case Mapping():
            return {key: fill_tree(value, values) for key, value in tree.items()}
        case Sequence():
            return [fill_tree(value, values) for value in tree]
    return tree


def fill_path(path: str, values: Mapping[str, Any]) -> str:
    """A path with each value percent-encoded.

    Raises
    ------
    WireError
        If a value has the part `.` or `..`: servers and proxies resolve them even when encoded.
    """
    for name in Template(path).get_identifiers():
        if any(part in (".", "..") for part in re.split(r"[/\\]", str(values[name]))):
            raise WireError(
                f"{name} has a part '..' or '.', which must not stand in a URL's path",
                retryable=False,
            )
    return fill(path, {name: _quoted(value, "") for name, value in values.items()})


def fill_header(text: str, values: Mapping[str, Any], token: str | None) -> str:
    """A header's value; what is no plain ASCII in a value, or is a space, is percent-encoded.

    Parameters
    ----------
    token
        What `$token` stands for; put in as it is, and in the same pass, so that no value can
        name it.
    """
    quoted = {name: _quoted(value, _HEADER_SAFE) for name, value in values.items()}
    return fill(text, quoted if token is None else quoted | {"token": token})


def _quoted(value: Any, safe: str) -> str:
    return quote(str(value), safe=safe, errors="replace")


def leaves(tree: Any) -> Iterator[str]:
    """Every string in data, keys not included."""
    match tree:
        case str():
            yield tree
        case Mapping():
            for value in tree.values():
                yield from leaves(value)
        case Sequence():
            for value in tree:
                yield from leaves(value)
