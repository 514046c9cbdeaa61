"""Texts with `$agent_id` in them, filled in so that hostile values stay values.

Values are put into the strings of finished data, never into its encoded form: a body is encoded
after they went in, a path and a header encode each value before. So no value can end a string,
begin a parameter or a header, or leave its place in a path.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from string import Template
from typing import Any, Final
from urllib.parse import quote

from alerting.ports import RevokeError
from alerting.revoke.orders import PLACEHOLDERS

_HEADER_SAFE: Final = "!\"#$&'()*+,/:;<=>?@[\\]^`{|}"
"""What may stand in a header as it is, beside letters, digits and `_.-~`."""


def check(text: str, also: Iterable[str] = ()) -> str:
    """Refuse a text with a placeholder that does not exist.

    Parameters
    ----------
    text
        What the settings say.
    also
        More placeholders that may be used here.

    Raises
    ------
    ValueError
        Naming the placeholder and those that there are.
    """
    template, known = Template(text), (*PLACEHOLDERS, *also)
    if not template.is_valid():
        raise ValueError(f"{text!r}: a $ begins a placeholder; write $$ for a dollar sign")
    for name in template.get_identifiers():
        if name not in known:
            raise ValueError(f"unknown placeholder ${name}; there are ${', $'.join(known)}")
    return text


def check_tree(tree: Any) -> Any:
    """Refuse data with an unknown placeholder in any of its strings, keys not included."""
    for leaf in _leaves(tree):
        check(leaf)
    return tree


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its values as they are; for what is encoded afterwards."""
    return Template(text).substitute(values)


def fill_tree(tree: Any, values: Mapping[str, str]) -> Any:
    """Data with each string filled in; one that is `$order_seq` alone becomes the number."""
    match tree:
        case "$order_seq" | "${order_seq}":
            return int(values["order_seq"])
        case str():
            return fill(tree, values)
        case Mapping():
            return {key: fill_tree(value, values) for key, value in tree.items()}
        case Sequence():
            return [fill_tree(value, values) for value in tree]
    return tree


def fill_path(path: str, values: Mapping[str, str]) -> str:
    """A path with each value percent-encoded.

    Raises
    ------
    RevokeError
        If a value has the part `.` or `..`: servers and proxies resolve them even when encoded.
    """
    for name in Template(path).get_identifiers():
        if any(part in (".", "..") for part in re.split(r"[/\\]", values[name])):
            raise RevokeError(
                f"{name} has a part '..' or '.', which must not stand in a URL's path"
            )
    return fill(path, {name: _quoted(value, "") for name, value in values.items()})


def fill_header(text: str, values: Mapping[str, str], token: str | None) -> str:
    """A header's value; what is no plain ASCII in a value, or is a space, is percent-encoded.

    Parameters
    ----------
    token
        What `$token` stands for; put in as it is, and in the same pass, so that no value can
        name it.
    """
    quoted = {name: _quoted(value, _HEADER_SAFE) for name, value in values.items()}
    return fill(text, quoted if token is None else quoted | {"token": token})


def _quoted(value: str, safe: str) -> str:
    return quote(value, safe=safe, errors="replace")


def _leaves(tree: Any) -> Iterator[str]:
    match tree:
        case str():
            yield tree
        case Mapping():
            for value in tree.values():
                yield from _leaves(value)
        case Sequence():
            for value in tree:
                yield from _leaves(value)
