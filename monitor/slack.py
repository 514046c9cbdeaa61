"""From the settings to Socket Mode: who listens to what people press and type in Slack."""

from collections.abc import Callable

from alerting.notify.slack_web import SlackWeb
from monitor.config import Config
from monitor.errors import UsageError
from monitor.ledger.response import Response
from monitor.slack_access import Access
from monitor.slack_desk import SlackDesk
from monitor.slack_socket import SlackSocket
from monitor.store import Store


def open_socket(
    config: Config, store: Store, response: Response, wake: Callable[[], None]
) -> SlackSocket | None:
    """What listens, not started yet; None where no app token is set.

    Parameters
    ----------
    wake
        Called after something was put into the ledger that a lane is to act on.

    Raises
    ------
    UsageError
        If the app token is no such token, or stands without channel or bot token.
    """
    slack = config.slack
    if slack.app_token is None:
        return None
    app_token = slack.app_token.get_secret_value().strip()
    if not (app_token.isascii() and app_token.isprintable() and app_token.startswith("xapp-")):
        raise UsageError(
            "slack.app_token is no app-level token (xapp-…): look at TRIPSWITCH_SLACK__APP_TOKEN "
            "or slack.app_token_file"
        )
    if slack.channel is None or slack.bot_token is None:
        raise UsageError(
            "slack.app_token is set without slack.channel and a bot token; set these, too"
        )
    web = SlackWeb(
        slack.bot_token.get_secret_value().strip(), slack.api_url, min(slack.timeout_s, 3.0)
    )
    access = Access(web, slack.may_kill, slack.may_act)
    return SlackSocket(
        store,
        web,
        SlackDesk(store, web, access, response, wake),
        access,
        app_token=app_token,
        api_url=slack.api_url,
        channel=slack.channel,
        response=response,
    )
