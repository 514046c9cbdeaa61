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
    bot_token: SecretStr | None = None
    bot_token_file: Path | None = None
    app_token: SecretStr | None = None
    """For Socket Mode: buttons and the slash command, without any open port."""
    app_token_file: Path | None = None
    may_kill: tuple[UserOrGroup, ...] = ()
    """Who may cut agents off, approve and decline; empty: nobody may from Slack."""
    may_act: tuple[UserOrGroup, ...] = ()
    """Who else may acknowledge, expect and mute; empty: everybody of the workspace who sees it."""
    api_url: str = "https://slack.com/api/"
    timeout_s: Seconds = 10.0
