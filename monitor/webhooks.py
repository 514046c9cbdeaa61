"""From the settings of a webhook to the point."""

from alerting.revoke.webhook import StateQuestion, WebhookPoint
from alerting.wire.request import RequestTemplate
from monitor.config_points import QuestionConfig, RequestConfig, WebhookPointConfig
from monitor.wire import open_sender, request_template


def open_webhook(settings: WebhookPointConfig) -> WebhookPoint:
    """The point, ready to send.

    Raises
    ------
    UsageError
        If a secret or a certificate is missing or cannot be used.
    """
    return WebhookPoint(
        settings.name,
        open_sender(settings, lambda: settings.url),
        requests={"revoke": _request(settings.revoke), "restore": _request(settings.restore)},
        question=_question(settings.verify) if settings.verify else None,
        readiness=_request(settings.check) if settings.check else None,
    )


def _request(settings: RequestConfig) -> RequestTemplate:
    return request_template(settings, settings.already_done)


def _question(settings: QuestionConfig) -> StateQuestion:
    return StateQuestion(
        request=_request(settings),
        field=settings.field,
        revoked=settings.revoked,
        revoked_statuses=frozenset(settings.revoked_statuses),
        active_statuses=frozenset(settings.active_statuses),
    )
