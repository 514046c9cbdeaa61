"""An enforcement point that is told over HTTP, by requests that the settings describe.

Each request is signed and carries an idempotency key, the same for every attempt at one order.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx

from alerting.killswitch import Direction, Order
from alerting.ports import RevokeError
from alerting.revoke.answer import Answer, refused
from alerting.revoke.line import MAX_ANSWER_BYTES, Line
from alerting.revoke.orders import LastOrders
from alerting.revoke.request import Request, RequestTemplate
from alerting.revoke.signature import sign


@dataclass(frozen=True, slots=True, kw_only=True)
class StateQuestion:
    """How to ask a gateway where an agent stands.

    Parameters
    ----------
    field
        Of the answer's JSON, with dots between the keys, where statuses alone do not tell.
    revoked
        Values of that field that mean cut off; any other means active.
    revoked_statuses, active_statuses
        Statuses that tell by themselves.
    """

    request: RequestTemplate
    field: str | None = None
    revoked: tuple[Any, ...] = ()
    revoked_statuses: frozenset[int] = frozenset()
    active_statuses: frozenset[int] = frozenset()

    def read(self, answer: Answer) -> Direction:
        """What an answer says: the order that is in force.

        Raises
        ------
        RevokeError
            If it says neither.
        """
        if answer.status in self.revoked_statuses:
            return "revoke"
        if answer.status in self.active_statuses:
            return "restore"
        if self.field is None or not self.request.is_done(answer.status):
            raise refused("the question where the agent stands", answer)
        if not answer.is_whole:
            raise RevokeError(
                f"its answer is longer than {MAX_ANSWER_BYTES} bytes, or did not end in time"
            )
        try:
            found = json.loads(answer.body)
            for key in self.field.split("."):
                found = found[key]
        except (ValueError, LookupError, TypeError, RecursionError):
            raise RevokeError(f"its answer has no field {self.field!r}") from None
        # 1 and true are equal in Python, and not in JSON
        told = any(found == value and type(found) is type(value) for value in self.revoked)
        return "revoke" if told else "restore"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderNames:
    """What the headers are called that every request carries."""

    signature: str = "X-Tripswitch-Signature"
    timestamp: str = "X-Tripswitch-Timestamp"
    idempotency_key: str = "Idempotency-Key"


class WebhookPoint:
    """Tells one gateway.

    Parameters
    ----------
    name
        Of the point.
    url
        What the paths of the requests go behind.
    requests
        How to `revoke` and to `restore`.
    question
        How to verify; None if the gateway cannot be asked.
    readiness
        What to ask to check it; by default any answer to a HEAD of the URL will do.
    secret, token
        Give the key of the signature and what `$token` stands for, at each request anew; None
        where there is none.
    line
        How to get there.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        requests: Mapping[Direction, RequestTemplate],
        question: StateQuestion | None = None,
        readiness: RequestTemplate | None = None,
        secret: Callable[[], str | None],
        token: Callable[[], str | None],
        header_names: HeaderNames | None = None,
        line: Line | None = None,
    ) -> None:
        self.name = name
        self._url = httpx.URL(url)
        self._base_path = self._url.raw_path.decode("ascii")
        self._requests = requests
        self._question = question
        self._readiness = readiness
        self._secret = secret
        self._token = token
        self._header_names = header_names or HeaderNames()
        self._line = line or Line()
        self._last = LastOrders()

    def check(self, timeout_s: float = 5.0) -> None:
        """Ask the gateway whether it is there.

        Raises
        ------
        RevokeError
            If it gives no answer, or not the one that is wanted.
        """
        template = self._readiness or RequestTemplate(method="HEAD", path="/")
        answer = self._send(template.render(None, self._base_path, self._token()), timeout_s)
        if self._readiness is not None and not template.is_done(answer.status):
            raise refused("the check", answer)

    def revoke(self, order: Order, timeout_s: float) -> None:
        """Tell the gateway to cut the agent off.

        Raises
        ------
        RevokeError
            If it did not say within `timeout_s` that it is done.
        """
        self._tell(order, timeout_s)

    def restore(self, order: Order, timeout_s: float) -> None:
        """Tell the gateway to give the agent back.

        Raises
        ------
        RevokeError
            If it did not say within `timeout_s` that it is done.
        """
        self._tell(order, timeout_s)

    def verify(self, order: Order, timeout_s: float) -> bool | None:
        """Ask the gateway where the agent stands, if the settings say how.

        Raises
        ------
        RevokeError
            If it gives no answer that can be read.
        """
        if self._question is None:
            return None
        request = self._question.request.render(order, self._base_path, self._token())
        return self._question.read(self._send(request, timeout_s)) == order.direction

    def close(self) -> None:
        """Nothing is kept open between orders."""

    def _tell(self, order: Order, timeout_s: float) -> None:
        self._last.admit(order)
        template = self._requests[order.direction]
        request = template.render(order, self._base_path, self._token())
        key = {self._header_names.idempotency_key: f"{order.trip_id}-{order.order_seq}"}
        request = replace(request, headers={**request.headers, **key})
        answer = self._send(request, timeout_s, is_enough=template.is_done)
        if not template.is_done(answer.status):
            raise refused(order.direction, answer)

    def _send(
        self,
        request: Request,
        timeout_s: float,
        is_enough: Callable[[int], bool] = lambda _status: False,
    ) -> Answer:
        """One request, signed, and its answer."""
        url = self._url.copy_with(raw_path=request.target.encode())
        secret = self._secret()
        headers = {"User-Agent": "tripswitch", "Accept-Encoding": "identity", **request.headers}
        if secret is not None:
            sent, now_s = replace(request, target=url.raw_path.decode()), int(time.time())
            headers[self._header_names.timestamp] = str(now_s)
            headers[self._header_names.signature] = sign(secret.encode(), now_s, sent)
        made = httpx.Request(request.method, url, headers=headers, content=request.body)
        answer = self._line.exchange(made, timeout_s, is_enough)
        return replace(answer, secrets=(secret, self._token()))
