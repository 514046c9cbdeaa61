"""Which receivers the settings ask for."""

from typing import TextIO

from alerting.notify.slack import SlackReceiver
from alerting.notify.terminal import TerminalReceiver
from alerting.ports import Receiver
from monitor.config import Config
from monitor.config_slack import SlackConfig
from monitor.errors import UsageError
from monitor.receiver_kinds import open_receiver


def lease_s(config: Config) -> float:
    """For how long a delivery is the dispatcher's own: longer than any receiver's time limit."""
    return max(config.slack.timeout_s, *(r.timeout_s for r in config.receivers), 0.0) + 20.0


def open_receivers(config: Config, stream: TextIO) -> list[Receiver]:
    """All receivers, ready to send.

    Parameters
    ----------
    config
        The settings.
    stream
        Where the terminal's receiver writes.

    Raises
    ------
    UsageError
        If one cannot be made from its settings, such as Slack without a usable bot token.
    """
    receivers: list[Receiver] = []
    if config.alerts.terminal:
        receivers.append(TerminalReceiver(stream))
    if config.slack.channel:
        receivers.append(_slack(config.slack, config.slack.channel))
    receivers += [open_receiver(settings, config.kafka) for settings in config.receivers]
    return receivers


def _slack(slack: SlackConfig, channel: str) -> SlackReceiver:
    token = slack.bot_token.get_secret_value().strip() if slack.bot_token else ""
    if not token:
        raise UsageError(
            "slack.channel is set without a bot token: set TRIPSWITCH_SLACK__BOT_TOKEN or point "
            "slack.bot_token_file at a file that holds it"
        )
    if not (token.isascii() and token.isprintable()):
        raise UsageError(
            "the Slack bot token holds a line break or a character that no token has; look at "
            "TRIPSWITCH_SLACK__BOT_TOKEN or slack.bot_token_file"
        )
    if not slack.api_url.startswith(("https://", "http://")):
        raise UsageError(f"slack.api_url {slack.api_url!r} is no URL that starts with https://")
    has_buttons = slack.app_token is not None
    return SlackReceiver(channel, token, slack.api_url, slack.timeout_s, buttons=has_buttons)
