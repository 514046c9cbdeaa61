"""The settings about Slack."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from monitor.config_section import Seconds, Section

UserOrGroup = Annotated[str, Field(pattern=r"^[USW][A-Z0-9]{2,30}$")]
"""Id of a user (`U…`, `W…`) or of a user group (`S…`); names can be taken by anybody."""


class SlackConfig(Section):
    """Slack: set a channel and a bot token and alerts go there; an app token, and buttons work."""

    channel: str | None = None
    """Its id, so that it can be searched after a lost answer. Example: `"C0123456789"`"""
    bot_token: SecretStr | None = None
    """The app's token (`xoxb-`)."""
    bot_token_file: Path | None = None
    """A file that holds it. Example: `"/run/secrets/slack"`"""
    app_token: SecretStr | None = None
    """The token for Socket Mode (`xapp-`): buttons and the slash command, without any open port."""
    app_token_file: Path | None = None
    """A file that holds it. Example: `"/run/secrets/app-of-slack"`"""
    may_kill: tuple[UserOrGroup, ...] = ()
    """Users (`U…`) and user groups (`S…`) who may cut agents off, approve and decline; empty:
    nobody may from Slack. Example: `["U0123456789", "S0123456789"]`"""
    may_act: tuple[UserOrGroup, ...] = ()
    """Who else may acknowledge, expect and mute; empty: everybody of the workspace who sees it.
    Example: `["S0123456789"]`"""
    api_url: str = "https://slack.com/api/"
    """Where Slack's API is."""
    timeout_s: Seconds = 10.0
    """Of one request."""
