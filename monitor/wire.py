"""From the settings of a server to the way there, with its secrets and certificates."""

import os
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from alerting.wire.answer import WireError
from alerting.wire.line import Line
from alerting.wire.request import RequestTemplate
from alerting.wire.sender import HeaderNames, Sender
from monitor.config_wire import RequestSection, ServerSection
from monitor.errors import UsageError

MIN_SECRET_CHARS: Final = 16


def open_sender(
    settings: ServerSection, url: Callable[[], str], *, url_is_secret: bool = False
) -> Sender:
    """The way to a server, ready to send.

    Raises
    ------
    UsageError
        If a secret or a certificate is missing or cannot be used.
    """
    secret = partial(read_secret, settings.secret_file, settings.secret_variable)
    token = partial(read_secret, settings.token_file, settings.token_variable)
    try:
        key = secret()
        token()
        url()
    except WireError as error:
        raise UsageError(str(error)) from None
    if key is not None:
        refuse_short_secret(key)
    return Sender(
        url,
        secret=secret,
        token=token,
        url_is_secret=url_is_secret,
        header_names=HeaderNames(
            signature=settings.signature_header,
            timestamp=settings.timestamp_header,
            idempotency_key=settings.idempotency_header,
        ),
        line=Line(_tls(settings), settings.proxy),
    )


def refuse_short_secret(secret: str) -> None:
    """Refuse a secret that signs and could be guessed.

    Raises
    ------
    UsageError
        Saying how long it is to be.
    """
    if len(secret) < MIN_SECRET_CHARS:
        raise UsageError(
            f"the secret that signs has {len(secret)} characters; give it {MIN_SECRET_CHARS} or "
            "more, such as `openssl rand -hex 32` makes"
        )


def read_secret(file: Path | None, variable: str | None) -> str | None:
    """A secret, read for each request: it may be replaced while the daemon runs.

    Raises
    ------
    WireError
        If it cannot be had; saying where it should be.
    """
    if file is not None:
        try:
            secret, where = file.read_text("utf-8").strip(), str(file)
        except OSError as error:
            raise WireError(f"cannot read the secret in {file}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise WireError(f"the secret in {file} is no text") from None
    elif variable is not None:
        secret, where = os.environ.get(variable, "").strip(), f"the variable {variable}"
    else:
        return None
    if not secret:
        raise WireError(f"there is no secret in {where}")
    if not (secret.isascii() and secret.isprintable()):
        raise WireError(f"the secret in {where} holds a line break or is no plain ASCII")
    return secret


def request_template(
    settings: RequestSection, already_done: tuple[int, ...] = ()
) -> RequestTemplate:
    """The request that these settings describe."""
    return RequestTemplate(
        method=settings.method,
        path=settings.path,
        query=settings.query,
        headers=settings.headers,
        body=settings.body,
        encoding=settings.encoding,
        success=frozenset(settings.success),
        already_done=frozenset(already_done),
    )


def _tls(settings: ServerSection) -> ssl.SSLContext | None:
    """What these settings say of certificates; None if nothing."""
    files = (settings.ca_file, settings.client_cert_file, settings.client_key_file)
    if not any(files):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.client_cert_file:
            context.load_cert_chain(settings.client_cert_file, settings.client_key_file)
    except OSError as error:
        named = ", ".join(str(file) for file in files if file)
        raise UsageError(f"cannot use the TLS files {named}: {error.strerror or error}") from None
    return context
