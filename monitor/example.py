"""The settings as an example file: every key with what it does, generated from the models.

A key's text is the docstring behind its field; where that ends in ``Example: `…` ``, the TOML
between the backticks stands in the file in place of the default.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from monitor.config import Config
from monitor.config_checks import ENV_PREFIX, models_in
from monitor.suggest.toml import quote

WIDTH: Final = 100
HEAD: Final = f"""\
# Every setting of Tripswitch, made by `tripswitch config --example`.
#
# A line that begins with "# " explains. One that begins with # alone is a setting, at its default
# or, where the default is nothing, an example: take the # away to set it. With no file at all the
# embedded default runs: a JSONL event log, SQLite, alerts on the terminal, nothing cut off by
# itself. Every key can be a variable, too, such as {ENV_PREFIX}KAFKA__BOOTSTRAP_SERVERS; secrets
# are variables alone, or stand in a file that a key names."""

_EXAMPLE: Final = re.compile(r"\s*Example: `(.+)`$")
_FIRST: Final = ("kind", "name")
_FREE_NAME: Final = "level"
"""Stands where a table's name is free."""


class Explained(NamedTuple):
    """What a docstring says of a key, and the TOML that it gives as an example."""

    text: str
    example: str | None = None


def render() -> str:
    """The whole file."""
    return "\n".join([HEAD, *_tables(Config, "")]) + "\n"


def explained(model: type[BaseModel]) -> dict[str, Explained]:
    """What stands behind the fields of a model, also behind those that it inherits."""
    found: dict[str, Explained] = {}
    for base in reversed(model.__mro__):
        if base.__module__.partition(".")[0] == __package__:
            (parsed,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
            assert isinstance(parsed, ast.ClassDef)
            for pair in zip(parsed.body, parsed.body[1:], strict=False):
                match pair:
                    case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                        found[name] = _split(" ".join(text.split()))
    return found


def toml(value: Any) -> str:
    """A setting's value as TOML."""
    match value:
        case bool():
            return str(value).lower()
        case float() | int():
            return f"{value:g}" if value == int(value) and value < 1e5 else str(value)
        case Mapping():
            return "{ " + ", ".join(f"{key} = {toml(of)}" for key, of in value.items()) + " }"
        case list() | tuple():
            return "[" + ", ".join(map(toml, value)) + "]"
    return quote(str(value))


def _split(text: str) -> Explained:
    example = _EXAMPLE.search(text)
    return Explained(text[: example.start()], example[1]) if example else Explained(text)


def _tables(model: type[BaseModel], at: str) -> Iterator[str]:
    """The tables in a model, in the order of its fields."""
    texts = explained(model)
    for key, field in model.model_fields.items():
        path = f"{at}.{key}" if at else key
        sections = list(models_in(field.annotation))
        if key in texts and texts[key].example and at:
            continue  # shown as a key
        for section in sections:
            header, below = _header(path, field, commented=bool(at))
            told = [inspect.cleandoc(section.__doc__ or "").partition("\n\n")[0]]
            if key in texts:
                told.append(texts[key].text)
            yield from ("", *_comment(" ".join(told)), header, *_keys(section, below))
            yield from _tables(section, below)
        if not sections and not at:  # a table whose keys are free
            text, example = texts[key]
            yield from ("", *_comment(text), f"[{key}]", f"#{(example or '')[2:-2]}")


def _header(path: str, field: FieldInfo, *, commented: bool) -> tuple[str, str]:
    """The line that begins a table, and its path; one that need not be there is commented out."""
    default = field.get_default(call_default_factory=True)
    if isinstance(default, Mapping):
        path = f"{path}.{_FREE_NAME}"
    elif isinstance(default, tuple):
        return f"#[[{path}]]", path
    return ("#" if commented else "") + f"[{path}]", path


def _keys(section: type[BaseModel], at: str) -> Iterator[str]:
    """The keys of a table that are no tables, which TOML wants first."""
    texts = explained(section)
    fields = section.model_fields
    for key in sorted(fields, key=lambda key: _FIRST.index(key) if key in _FIRST else len(_FIRST)):
        field = fields[key]
        if any(models_in(field.annotation)) and not (key in texts and texts[key].example):
            continue
        text, example = texts.get(key, Explained("")) if key == "kind" else texts[key]
        if "SecretStr" in str(field.annotation):
            variable = f"{ENV_PREFIX}{at}__{key}".upper()
            yield from _comment(f"The variable {variable} alone: {text[:1].lower()}{text[1:]}")
            continue
        default = _default(field)
        if example is not None and default not in (None, (), {}, ""):
            text = f"{text} Default: {toml(default)}."
        yield from _comment(text)
        yield f"#{field.alias or key} = {example or toml(default)}"


def _default(field: FieldInfo) -> Any:
    if not field.is_required():
        return field.get_default(call_default_factory=True)
    only: Sequence[Any] = getattr(field.annotation, "__args__", ())
    return only[0] if len(only) == 1 else None  # which kind of several it is


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ",
                         break_on_hyphens=False, break_long_words=False)  # fmt: skip
