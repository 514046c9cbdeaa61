"""An HTTP request as the settings describe it, and as it is sent for one occasion."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import quote, urlencode

from alerting.wire import template

WITHOUT_BODY: Final = frozenset(("GET", "HEAD", "DELETE", "OPTIONS"))


@dataclass(frozen=True, slots=True)
class Request:
    """What goes over the wire; `target` is the path with its query, percent-encoded."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTemplate:
    """How to make a request from values.

    Parameters
    ----------
    path
        Goes behind the URL; empty, or begins with a slash.
    body
        Data whose strings are templates; by default all there is, for a method with a body.
    encoding
        Of the body: JSON, or a form, whose body is one table of texts.
    success
        Statuses that mean done; by default every one from 200 to 299.
    already_done
        More statuses that mean that nothing was left to do.
    """

    method: str
    path: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    encoding: Literal["json", "form"] = "json"
    success: frozenset[int] = frozenset()
    already_done: frozenset[int] = frozenset()

    def is_done(self, status: int) -> bool:
        """Whether an answer with this status means that it is done."""
        succeeded = status in self.success if self.success else 200 <= status < 300
        return succeeded or status in self.already_done

    def render(
        self,
        values: Mapping[str, Any],
        whole: Any,
        base: tuple[str, str],
        token: str | None,
    ) -> Request:
        """The request for an occasion.

        Parameters
        ----------
        values
            What the placeholders stand for; most of it is hostile.
        whole
            The body where the settings give none.
        base
            Path and query of the URL.
        token
            What `$token` stands for in headers and body.

        Raises
        ------
        WireError
            If a value holds what must not stand in a path.
        """
        base_path, query = base
        target = base_path
        if self.path:
            target = base_path.rstrip("/") + template.fill_path(self.path, values)
        if self.query:
            query = "&".join(filter(None, (query, _form(template.fill_tree(self.query, values)))))
        if query:
            target += f"?{query}"
        headers = {
            name: template.fill_header(text, values, token) for name, text in self.headers.items()
        }
        body = b""
        if self.body is not None or self.method not in WITHOUT_BODY:
            told = values if token is None else {**values, "token": token}
            data = whole if self.body is None else template.fill_tree(self.body, told)
            is_form = self.encoding == "form"
            body = (_form(data) if is_form else json.dumps(data)).encode()
            kind = "application/x-www-form-urlencoded" if is_form else "application/json"
            headers = {"Content-Type": kind, **headers}
        return Request(self.method, target, headers, body)


def _form(data: Mapping[str, Any]) -> str:
    return urlencode(data, quote_via=quote, safe="", errors="replace")
