"""Socket Mode: what people press and type in Slack comes in without any open port.

An envelope is acknowledged within three seconds, as Slack wants, whatever the store and Slack's
own API do meanwhile; a request to change something only after it is kept, if that can be.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from slack_sdk import WebClient
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from alerting.health import Trouble
from alerting.notify.slack_web import SlackWeb, sdk_log
from alerting.ports import DeliveryError
from monitor import slack_actions
from monitor.errors import TripswitchError
from monitor.ledger import requests
from monitor.ledger.response import Response
from monitor.orders import check_agent
from monitor.slack_access import Access, RefusedError
from monitor.slack_client import SlackClient
from monitor.slack_desk import SlackDesk
from monitor.slack_modal import modal
from monitor.slack_request import ASK_REASON, Ask, Come, Typed, pressed, submitted, typed
from monitor.store import Store
from monitor.store.engine import STORE_ERRORS, reason

log = logging.getLogger(__name__)

ANSWER_WITHIN_S: Final = 2.0
"""Slack takes an envelope for lost after three."""
FIRST_BACKOFF_S: Final = 1.0
MAX_BACKOFF_S: Final = 60.0
PING_S: Final = 5.0
"""How often the connection is tried; one without an answer for four times as long is left."""
_HELP: Final = "/tripswitch [status]   or   /tripswitch kill AGENT REASON"


class SlackSocket:
    """The connection, and what becomes of what comes in over it.

    Parameters
    ----------
    app_token
        With the scope `connections:write`.
    api_url
        Where the Web API is.
    channel
        Where people may type the slash command.
    desk
        Does what is asked for.
    response
        Its rules, as they are in force: whether one cuts agents off by itself.
    clock
        The time, in seconds since the epoch.
    """

    def __init__(
        self,
        store: Store,
        web: SlackWeb,
        desk: SlackDesk,
        access: Access,
        *,
        app_token: str,
        api_url: str,
        channel: str,
        response: Response,
        ping_s: float = PING_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._web = web
        self._desk = desk
        self._access = access
        self._channel = channel
        self._response = response
        self._clock = clock
        self._stopping = threading.Event()
        self._client = SlackClient(
            app_token=app_token,
            logger=sdk_log,
            web_client=WebClient(base_url=api_url, retry_handlers=[], logger=sdk_log),
            ping_interval=ping_s,
        )
        self._client.socket_mode_request_listeners.append(self._take)
        self._thread = threading.Thread(target=self._connect, name="slack-socket", daemon=True)

    @property
    def is_connected(self) -> bool:
        """Whether anything can come in now."""
        return self._client.is_connected()

    def troubles(self, now_s: float) -> Iterator[Trouble]:
        """That nothing can come in, as a probe."""
        del now_s
        if not self.is_connected:
            text = f"not connected to Slack, so that buttons do nothing: {self._client.why}"
            yield Trouble("slack", "Socket Mode", text)

    def start(self) -> None:
        """Connect, in a thread of its own, and stay connected."""
        self._desk.start()
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Take nothing more in, and end after the request that is being done."""
        self._stopping.set()
        closer = threading.Thread(target=self._disconnect, daemon=True)
        closer.start()
        self._desk.stop(timeout_s)
        closer.join(timeout_s)

    def _disconnect(self) -> None:
        """Close the connection; the SDK trips over one that its other thread closes as well."""
        try:
            self._client.close()
        except AttributeError:
            self._client.close()
        self._client.disconnect()  # from the one that was being made meanwhile

    def _connect(self) -> None:
        """Make the first connection; from then on the SDK makes a new one when one ends."""
        wait_s = FIRST_BACKOFF_S
        while not self._stopping.is_set():
            try:
                self._client.connect()
                if self._stopping.is_set():
                    self._client.disconnect()
                log.info("connected to Slack: buttons and /tripswitch work")
                return
            except Exception:
                why = self._client.why  # the error's own text may hold the token
            log.warning("Slack's Socket Mode: %s; again in %.0f s", why, wait_s)
            self._stopping.wait(wait_s)
            wait_s = min(2 * wait_s, MAX_BACKOFF_S)

    def _take(self, _client: BaseSocketModeClient, envelope: SocketModeRequest) -> None:
        answer = _Answer(self._client, envelope.envelope_id)
        late = threading.Timer(ANSWER_WITHIN_S, answer)
        late.daemon = True
        late.start()
        try:
            self._hear(envelope.type, envelope.payload, answer)
        except STORE_ERRORS as error:
            log.error("something asked for in Slack is lost: store %s", reason(error))
            answer()
        except Exception as error:
            log.error("what came from Slack cannot be read: %s", type(error).__name__)
        finally:
            late.cancel()
            answer()

    def _hear(self, kind: str, payload: dict[str, Any], answer: "_Answer") -> None:
        if kind == "slash_commands" and (command := typed(payload)) is not None:
            answer()
            self._obey(command)
        elif kind == "interactive" and payload.get("type") == "block_actions":
            if (come := pressed(payload)) is not None:
                if come.ask.verb in ASK_REASON:
                    answer()
                    self._open(come)
                else:
                    self._keep(come, answer)
        elif kind == "interactive" and (come := submitted(payload)) is not None:
            if not come.ask.reason:
                errors = {"reason": "Say why, for those who ask later."}
                answer({"response_action": "errors", "errors": errors})
            else:
                self._keep(come, answer)

    def _keep(self, come: Come, answer: "_Answer") -> None:
        ask = come.ask
        try:
            with self._store.ledger() as ledger:
                requests.take_in(
                    ledger,
                    come.request_id,
                    ask.model_dump_json(),
                    asked_by=ask.actor,
                    now_s=self._clock(),
                )
        except STORE_ERRORS:
            self._desk.tell(ask.channel, ask.user, "not done: the store cannot be used; ask again")
            raise
        answer()
        self._desk.wake()

    def _open(self, come: Come, reason: str = "") -> None:
        """Ask for the reason, if this person may do it at all."""
        ask = come.ask
        try:
            self._access.check(ask.verb, ask.user, ask.team)
            with self._store.read() as ledger:
                what = slack_actions.what_about(ledger, ask)
                agents = slack_actions.agents_about(ledger, ask) if ask.verb == "kill" else []
            view = modal(ask, what, agents, reason)
            self._web.within(
                lambda _: self._web.client.views_open(trigger_id=come.trigger_id, view=view)
            )
        except RefusedError as refused:
            self._desk.refuse(ask, str(refused))
        except TripswitchError as error:
            self._desk.tell(ask.channel, ask.user, f"not done: {error}")
        except STORE_ERRORS:
            self._desk.tell(ask.channel, ask.user, "not done: the store cannot be used; ask again")
            raise
        except DeliveryError as error:
            self._desk.tell(ask.channel, ask.user, f"not done, press it again: {error.reason}")

    def _obey(self, command: Typed) -> None:
        """Do what a slash command says."""
        verb = command.words[0].lower() if command.words else "status"
        if verb == "kill" and len(command.words) > 1:
            self._ask_to_kill(command)
            return
        try:
            self._check_place(command)
            self._access.check(None, command.user, command.team)
            if verb != "status":
                self._desk.tell(command.channel, command.user, _HELP)
                return
            with self._store.read() as ledger:
                observing = all(rule.mode != "enforce" for rule in self._response.rules)
                lines = slack_actions.status(ledger, self._clock(), observing=observing)
            self._desk.tell(command.channel, command.user, *lines)
        except RefusedError as refused:
            self._desk.tell(command.channel, command.user, str(refused))

    def _ask_to_kill(self, command: Typed) -> None:
        agent = command.words[1]
        try:
            check_agent(agent)
        except TripswitchError as error:
            self._desk.tell(command.channel, command.user, f"not done: {error}")
            return
        ask = Ask(
            verb="kill",
            about="agent",
            id=agent,
            user=command.user,
            team=command.team,
            channel=command.channel,
        )
        self._open(Come("", ask, command.trigger_id), " ".join(command.words[2:]))

    def _check_place(self, command: Typed) -> None:
        """Tell how things stand only where the alerts are told, or to who may act anyway."""
        here = (command.channel, command.channel_name, f"#{command.channel_name}")
        if self._channel not in here and not self._access.is_listed(command.user):
            raise RefusedError("not allowed here: ask in the channel of the alerts")


class _Answer:
    """Acknowledges an envelope, once."""

    def __init__(self, client: SocketModeClient, envelope_id: str) -> None:
        self._client = client
        self._envelope_id = envelope_id
        self._lock = threading.Lock()
        self._given = False

    def __call__(self, payload: dict[str, Any] | None = None) -> None:
        with self._lock:
            if self._given:
                return
            self._given = True
        try:
            self._client.send_socket_mode_response(
                SocketModeResponse(self._envelope_id, payload=payload)
            )
        except Exception as error:
            # The connection went meanwhile; Slack sends the envelope again, and it is known.
            log.info("an acknowledgement to Slack failed: %s", type(error).__name__)
