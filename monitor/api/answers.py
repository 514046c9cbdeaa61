"""Answers: JSON without a second validation, and errors that say what was wrong and no more."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from alerting.killswitch import IllegalTransitionError
from alerting.render import clean
from monitor.api.backend import StoreDownError
from monitor.errors import ExitCode, NotFoundError, TripswitchError, UsageError

log = logging.getLogger(__name__)

STATUS: Final = {ExitCode.DONE: 200, ExitCode.PARTLY: 202}
"""Of an order that was taken; where a point was given up the body says so."""
_MAX_CHARS: Final = 500


class Answer(JSONResponse):
    """JSON in ASCII, so that no text of an agent is interpreted by what shows it."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return json.dumps(content, separators=(",", ":"), allow_nan=False).encode()


class Problem(BaseModel):
    """What was wrong."""

    error: str


PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem, "description": what}
    for status, what in {
        400: "What was asked makes no sense",
        401: "No token, or none that is valid",
        403: "The token's role does not suffice",
        404: "There is no such thing",
        413: "The body is too large",
        422: "A field is wrong; the error names it",
        503: "The store cannot be reached",
    }.items()
}


def problem(status: int, error: str, headers: Mapping[str, str] | None = None) -> Answer:
    """An error as JSON."""
    return Answer({"error": clean(error, _MAX_CHARS)}, status, headers)


def add_handlers(app: FastAPI) -> None:
    """Turn every error into a problem; what nobody thought of is logged, and not told."""

    async def of_http(_: Request, error: HTTPException) -> Answer:
        return problem(error.status_code, str(error.detail), error.headers)

    async def of_fields(request: Request, error: RequestValidationError) -> Answer:
        faults = []
        for fault in error.errors():
            where = ".".join(map(str, fault["loc"][1:])) or str(fault["loc"][0])
            faults.append(f"{where}: {fault['msg']}")
        is_json = "json" in request.headers.get("content-type", "")
        if not is_json and any(fault["loc"] == ("body",) for fault in error.errors()):
            faults.append("send JSON, with `Content-Type: application/json`")
        return problem(422, "; ".join(faults))

    async def of_store(request: Request, error: StoreDownError) -> Answer:
        log_down(request, error)
        return problem(503, str(error))

    async def of_ours(_: Request, error: TripswitchError) -> Answer:
        return problem(500, str(error))

    async def of_usage(_: Request, error: UsageError) -> Answer:
        return problem(400, str(error))

    async def of_missing(_: Request, error: NotFoundError) -> Answer:
        return problem(404, str(error))

    async def of_state(_: Request, error: IllegalTransitionError) -> Answer:
        return problem(409, str(error))

    async def of_bug(_: Request, __: Exception) -> Answer:
        return problem(500, "an error of tripswitch itself; its log says more")

    handlers: dict[type[Exception], Callable[[Request, Any], Awaitable[Answer]]] = {
        HTTPException: of_http,
        RequestValidationError: of_fields,
        StoreDownError: of_store,
        TripswitchError: of_ours,
        UsageError: of_usage,
        NotFoundError: of_missing,
        IllegalTransitionError: of_state,
        Exception: of_bug,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def log_down(request: Request, error: StoreDownError) -> None:
    """Say why the store could not be reached; its url, never a password."""
    log.error("store %s: %s", request.app.state.backend.store.url, error.why)
