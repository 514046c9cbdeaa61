"""What is wrong with the settings, in words: which key, and which one was meant."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from alerting.render import clean
from monitor.errors import UsageError

ENV_PREFIX: Final = "TRIPSWITCH_"
SECRET_KEYS: Final = frozenset(
    {"app_token", "bot_token", "sasl_password", "ssl_password", "password"}
)
_MAX_CHARS: Final = 10_000


def reasons(error: ValidationError, root: type[BaseModel]) -> str:
    """Every fault in one line, each with its key, and for a misspelt one the nearest."""
    parts = []
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        where = ".".join(map(str, fault["loc"]))
        if fault["type"] == "extra_forbidden":
            known = _fields_at(root, fault["loc"][:-1])
            parts.append(f"{where}: {hint(str(fault['loc'][-1]), known)}")
        else:
            parts.append(f"{where}: {fault['msg']}" if where else fault["msg"])
    return clean("; ".join(parts), _MAX_CHARS)  # it quotes values and keys, which hold anything


def _fields_at(root: type[BaseModel], loc: Iterable[int | str]) -> Iterable[str]:
    """The keys that a section knows, found by walking the models along an error's location."""
    models = [root]
    for part in loc:
        if part in models[0].model_fields:
            found = list(models_in(models[0].model_fields[str(part)].annotation))
            models = found or models
        else:  # which of several kinds, or which item of a list
            models = [m for m in models if part in _kinds(m)] or models
    return [field.alias or name for name, field in models[0].model_fields.items()]


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections that a field may hold, also one of several, or many."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models_in(inner)


def _kinds(model: type[BaseModel]) -> tuple[Any, ...]:
    kind = model.model_fields.get("kind")
    return get_args(kind.annotation) if kind else ()


def hint(key: str, known: Iterable[str]) -> str:
    """Say that a key is unknown, and which known one is near."""
    names = sorted(known)
    return "unknown key" + (nearest(key, names) or f"; there are: {', '.join(names)}")


def nearest(key: str, known: Iterable[str]) -> str:
    """Ask whether the nearest known one was meant, if there is one."""
    near = difflib.get_close_matches(key, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def refuse_secrets(data: Mapping[str, Any], path: Path) -> None:
    """Refuse a settings file that holds a secret.

    Raises
    ------
    UsageError
        Naming the key, the variable and the `*_file` key that go in its place.
    """
    for section, keys in data.items():
        if not isinstance(keys, dict):
            continue
        for key in SECRET_KEYS & set(keys):
            variable = f"{ENV_PREFIX}{section}__{key}".upper()
            raise UsageError(
                f"config {path}: {section}.{key} is a secret and does not belong in this file; "
                f"set {variable} or point {section}.{key}_file at a file that holds it"
            )
    url = data.get("store", {}).get("url") if isinstance(data.get("store"), dict) else None
    if isinstance(url, str) and "@" in url:
        try:
            has_password = make_url(url).password is not None
        except ArgumentError:
            return  # said by the model, with the key's name
        if has_password:
            raise UsageError(
                f"config {path}: store.url holds a password; set {ENV_PREFIX}STORE__URL, "
                f"{ENV_PREFIX}STORE__PASSWORD or store.password_file instead"
            )
