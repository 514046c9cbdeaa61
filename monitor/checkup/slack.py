"""Slack: the tokens, the scopes, the channel."""

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Final

from slack_sdk.web import SlackResponse

from alerting.notify.slack_web import Limit, SlackWeb
from alerting.ports import DeliveryError
from monitor.checkup.clock import clock
from monitor.checkup.verdict import Verdict, failed, ok, warning
from monitor.config import Config

SCOPES: Final = frozenset({"chat:write", "channels:history", "usergroups:read", "commands"})
"""As `deploy/slack-manifest.yaml` asks for them, but for private channels."""
_MANIFEST: Final = "deploy/slack-manifest.yaml makes an app that has all it takes"


def check_slack(config: Config) -> Iterator[Verdict]:
    """Try what the settings name of Slack; nothing is posted."""
    slack = config.slack
    if slack.channel is None:
        if slack.bot_token is not None:
            yield warning(
                "slack", "has a token and no channel: it is not used", "set slack.channel"
            )
        return
    if slack.bot_token is None:
        yield failed(
            "slack", "no bot token", "set TRIPSWITCH_SLACK__BOT_TOKEN or slack.bot_token_file"
        )
        return
    web = SlackWeb(slack.bot_token.get_secret_value().strip(), slack.api_url, slack.timeout_s)
    try:
        answer = web.within(lambda _: web.client.auth_test())
    except DeliveryError as error:
        yield failed("slack token", str(error), _MANIFEST)
        return
    yield ok(
        "slack token", f"of {answer.get('user', 'a bot')} in {answer.get('team', 'a workspace')}"
    )
    yield from _check_scopes(answer)
    yield _check_channel(web, slack.channel)
    if slack.app_token is not None:
        yield _check_app(
            SlackWeb(slack.app_token.get_secret_value().strip(), slack.api_url, slack.timeout_s)
        )
        if not slack.may_kill:
            yield warning(
                "slack people",
                "nobody may kill, approve or decline there",
                "list ids in slack.may_kill",
            )
    date = answer.headers.get("Date") or answer.headers.get("date")
    if date:
        yield clock(parsedate_to_datetime(date).timestamp() - time.time(), "Slack's")


def _check_scopes(answer: SlackResponse) -> Iterator[Verdict]:
    told = answer.headers.get("x-oauth-scopes") or answer.headers.get("X-OAuth-Scopes")
    if told is None:
        return
    missing = SCOPES - {scope.strip() for scope in told.split(",")}
    if missing:
        yield failed(
            "slack scopes",
            f"missing: {', '.join(sorted(missing))}",
            f"add them and install the app anew; {_MANIFEST}",
        )
    else:
        yield ok("slack scopes", "all there")


def _check_channel(web: SlackWeb, channel: str) -> Verdict:
    about = f"slack channel {channel}"

    def read(_: Limit) -> SlackResponse:
        return web.client.conversations_history(channel=channel, limit=1)

    try:
        web.within(read)
    except DeliveryError as error:
        return failed(about, str(error), "take the channel's id, and /invite the app to it")
    return ok(about, "can be read, so the app is in it")


def _check_app(web: SlackWeb) -> Verdict:
    try:
        web.within(lambda _: web.client.apps_connections_open(app_token=web.client.token or ""))
    except DeliveryError as error:
        return failed(
            "slack app token",
            str(error),
            "make one with connections:write, and turn Socket Mode on",
        )
    return ok("slack app token", "Socket Mode may connect")
