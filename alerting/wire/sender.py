"""Sends requests to one server: signed, each over a line of its own."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx

from alerting.wire.answer import Answer
from alerting.wire.line import Line
from alerting.wire.request import RequestTemplate
from alerting.wire.signature import sign


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderNames:
    """What the headers are called that every request carries."""

    signature: str = "X-Tripswitch-Signature"
    timestamp: str = "X-Tripswitch-Timestamp"
    idempotency_key: str = "Idempotency-Key"


class Sender:
    """The way to one server.

    Parameters
    ----------
    url
        Gives what the paths of the requests go behind, at each request anew.
    secret, token
        Give the key of the signature and what `$token` stands for, likewise; None where there is
        none.
    url_is_secret
        Whether the URL must not be quoted.
    line
        How to get there.
    """

    def __init__(
        self,
        url: Callable[[], str],
        *,
        secret: Callable[[], str | None],
        token: Callable[[], str | None],
        url_is_secret: bool = False,
        header_names: HeaderNames | None = None,
        line: Line | None = None,
    ) -> None:
        self._url = url
        self._secret = secret
        self._token = token
        self._url_is_secret = url_is_secret
        self._header_names = header_names or HeaderNames()
        self._line = line or Line()

    def send(
        self,
        template: RequestTemplate,
        values: Mapping[str, Any],
        whole: Any,
        timeout_s: float,
        *,
        key: str | None = None,
        is_enough: Callable[[int], bool] = lambda _status: False,
    ) -> Answer:
        """One request and its answer, whatever its status.

        Parameters
        ----------
        values, whole
            As `RequestTemplate.render` wants them.
        key
            The same for every attempt at the same thing; None where nothing is changed.
        is_enough
            Whether an answer of this status needs no body.

        Raises
        ------
        WireError
            If there is no answer within `timeout_s`, or the request cannot be made.
        """
        address, token, secret = self._url(), self._token(), self._secret()
        base = httpx.URL(address)
        base_path, _, query = base.raw_path.decode("ascii").partition("?")
        request = template.render(values, whole, (base_path, query), token)
        url = base.copy_with(raw_path=request.target.encode())
        headers = {"User-Agent": "tripswitch", "Accept-Encoding": "identity", **request.headers}
        if key is not None:
            headers[self._header_names.idempotency_key] = key
        if secret is not None:
            sent, now_s = replace(request, target=url.raw_path.decode()), int(time.time())
            headers[self._header_names.timestamp] = str(now_s)
            headers[self._header_names.signature] = sign(secret.encode(), now_s, sent)
        made = httpx.Request(request.method, url, headers=headers, content=request.body)
        answer = self._line.exchange(made, timeout_s, is_enough)
        hidden = (address, request.target) if self._url_is_secret else ()
        return replace(answer, secrets=(secret, token, *hidden))
