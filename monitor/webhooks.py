"""From the settings of a webhook to the point, with its secrets and certificates."""

import os
import ssl
from functools import partial
from pathlib import Path
from typing import Final

from alerting.ports import RevokeError
from alerting.revoke.line import Line
from alerting.revoke.request import RequestTemplate
from alerting.revoke.webhook import HeaderNames, StateQuestion, WebhookPoint
from monitor.config_points import QuestionConfig, RequestConfig, WebhookPointConfig
from monitor.errors import UsageError

MIN_SECRET_CHARS: Final = 16


def open_webhook(settings: WebhookPointConfig) -> WebhookPoint:
    """The point, ready to send.

    Raises
    ------
    UsageError
        If a secret or a certificate is missing or cannot be used.
    """
    secret = partial(_read_secret, settings.secret_file, settings.secret_variable)
    token = partial(_read_secret, settings.token_file, settings.token_variable)
    try:
        key = secret()
        token()
    except RevokeError as error:
        raise UsageError(str(error)) from None
    if key is not None and len(key) < MIN_SECRET_CHARS:
        raise UsageError(
            f"the secret that signs has {len(key)} characters; give it {MIN_SECRET_CHARS} or more, "
            "such as `openssl rand -hex 32` makes"
        )
    return WebhookPoint(
        settings.name,
        settings.url,
        requests={"revoke": _request(settings.revoke), "restore": _request(settings.restore)},
        question=_question(settings.verify) if settings.verify else None,
        readiness=_request(settings.check) if settings.check else None,
        secret=secret,
        token=token,
        header_names=HeaderNames(
            signature=settings.signature_header,
            timestamp=settings.timestamp_header,
            idempotency_key=settings.idempotency_header,
        ),
        line=Line(_tls(settings), settings.proxy),
    )


def _read_secret(file: Path | None, variable: str | None) -> str | None:
    """A secret, read for each request: it may be replaced while the daemon runs."""
    if file is not None:
        try:
            secret, where = file.read_text("utf-8").strip(), str(file)
        except OSError as error:
            raise RevokeError(f"cannot read the secret in {file}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise RevokeError(f"the secret in {file} is no text") from None
    elif variable is not None:
        secret, where = os.environ.get(variable, "").strip(), f"the variable {variable}"
    else:
        return None
    if not secret:
        raise RevokeError(f"there is no secret in {where}")
    if not (secret.isascii() and secret.isprintable()):
        raise RevokeError(f"the secret in {where} holds a line break or is no plain ASCII")
    return secret


def _request(settings: RequestConfig) -> RequestTemplate:
    return RequestTemplate(
        method=settings.method,
        path=settings.path,
        query=settings.query,
        headers=settings.headers,
        body=settings.body,
        encoding=settings.encoding,
        success=frozenset(settings.success),
        already_done=frozenset(settings.already_done),
    )


def _question(settings: QuestionConfig) -> StateQuestion:
    return StateQuestion(
        request=_request(settings),
        field=settings.field,
        revoked=settings.revoked,
        revoked_statuses=frozenset(settings.revoked_statuses),
        active_statuses=frozenset(settings.active_statuses),
    )


def _tls(settings: WebhookPointConfig) -> ssl.SSLContext:
    files = (settings.ca_file, settings.client_cert_file, settings.client_key_file)
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.client_cert_file:
            context.load_cert_chain(settings.client_cert_file, settings.client_key_file)
    except OSError as error:
        named = ", ".join(str(file) for file in files if file)
        raise UsageError(f"cannot use the TLS files {named}: {error.strerror or error}") from None
    return context
