"""The desk: does what was asked for in Slack, once each, and tells who asked what became of it.

A request is kept in the ledger before Slack is told that it came; it is done, and marked as done,
in one transaction. So what a crash interrupts is done later, and what comes twice is done once.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from pydantic import ValidationError
from sqlalchemy import Connection

from alerting.notify.slack_web import Limit, SlackWeb
from alerting.ports import DeliveryError
from alerting.slack_buttons import BLOCK, plain
from monitor import slack_actions
from monitor.errors import NotFoundError, TripswitchError
from monitor.ledger import approvals, audit, requests
from monitor.ledger.requests import Waiting
from monitor.ledger.response import Response
from monitor.slack_access import Access, RefusedError
from monitor.slack_modal import text_block
from monitor.slack_request import Ask
from monitor.store import Store
from monitor.store.engine import STORE_AWAY, STORE_ERRORS, reason

log = logging.getLogger(__name__)

POLL_S: Final = 5.0
"""How soon a request is seen that another process took in and left."""
BLIND_S: Final = 2.0
"""How long until the store is asked again after it could not be used."""
MAX_TRIES: Final = 3
"""So often an unforeseen error is met before a request is given up."""


class SlackDesk(threading.Thread):
    """One thread that does what is asked for, in the order in which it came.

    Parameters
    ----------
    wake
        Called after something was put into the ledger that a lane is to act on.
    clock
        The time, in seconds since the epoch.
    """

    def __init__(
        self,
        store: Store,
        web: SlackWeb,
        access: Access,
        response: Response,
        wake: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(name="slack-desk", daemon=True)
        self._store = store
        self._web = web
        self._access = access
        self._response = response
        self._wake_lanes = wake
        self._clock = clock
        self._look = threading.Event()
        self._stopping = False
        self._tries: dict[str, int] = {}

    def wake(self) -> None:
        """Look now: a request was taken in."""
        self._look.set()

    def stop(self, timeout_s: float) -> None:
        """End after the request that is being done."""
        self._stopping = True
        self._look.set()
        if self.is_alive():
            self.join(timeout_s)

    def run(self) -> None:
        """Do what waits, and what comes, until it is stopped."""
        while not self._stopping:
            wait_s = POLL_S
            try:
                with self._store.read() as ledger:
                    waiting = requests.oldest(ledger)
                if waiting is not None:
                    self._do(waiting)
                    continue
            except STORE_ERRORS as error:
                log.error("requests of Slack wait: store %s", reason(error))
                wait_s = BLIND_S
            self._look.wait(wait_s)
            self._look.clear()

    def refuse(self, ask: Ask, why: str) -> None:
        """Put into the audit, and tell, that somebody may not do what they asked for."""
        with self._store.ledger() as ledger:
            self._audit_refusal(ledger, ask, why)
        self.tell(ask.channel, ask.user, why)

    def tell(self, channel: str, user: str, *lines: str) -> None:
        """Tell one user something that nobody else sees; nobody waits for it, and it may fail."""
        self._aside(lambda: self._tell(channel, user, lines))

    def _tell(self, channel: str, user: str, lines: Sequence[str]) -> None:
        try:
            self._web.within(
                lambda _: self._web.client.chat_postEphemeral(
                    channel=channel,
                    user=user,
                    text="Tripswitch",
                    blocks=[text_block("\n".join(lines)[:3000])],
                    parse="none",
                    link_names=False,
                )
            )
        except DeliveryError as error:
            log.warning("an answer to somebody in Slack was not taken: %s", error.reason)

    def _do(self, waiting: Waiting) -> None:
        try:
            ask = Ask.model_validate_json(waiting.doc)
        except ValidationError:
            self._settle(waiting, "cannot be read; another version wrote it")
            return
        try:
            self._access.check(ask.verb, ask.user, ask.team)
            told = self._perform(waiting, ask)
        except RefusedError as refused:
            told = str(refused)
            with self._store.ledger() as ledger:
                audit.lock(ledger)
                if requests.lock(ledger, waiting.request_id):
                    self._audit_refusal(ledger, ask, told)
                    requests.settle(ledger, waiting.request_id, told, self._clock())
        except TripswitchError as error:
            told = f"not done: {error}"
            self._settle(waiting, told)
        except STORE_AWAY:
            raise
        except Exception as error:
            told = self._failed(waiting, error)
        if told:
            self.tell(ask.channel, ask.user, told)
        if told and ask.about == "approval" and ask.ts and self._is_settled(ask.id):
            self._aside(lambda: self._take_buttons_off(ask, told))

    def _perform(self, waiting: Waiting, ask: Ask) -> str:
        """Do it, unless it was done meanwhile; returns what to tell, empty if nothing."""
        now_s = self._clock()
        if ask.verb == "expected":
            told = slack_actions.expect(self._store, ask, self._response, now_s)
            self._settle(waiting, told)
        else:
            with self._store.ledger() as ledger:
                audit.lock(ledger)  # the head first, everywhere
                if not requests.lock(ledger, waiting.request_id):
                    return ""
                told = slack_actions.perform(ledger, ask, self._response, now_s)
                requests.settle(ledger, waiting.request_id, told, now_s)
        self._wake_lanes()
        return told

    def _failed(self, waiting: Waiting, error: Exception) -> str:
        """Meet an error that nobody foresaw; only its type is said, its text may hold anything."""
        tries = self._tries.get(waiting.request_id, 0) + 1
        self._tries[waiting.request_id] = tries
        log.error("a request of Slack failed: unexpected %s", type(error).__name__)
        if tries < MAX_TRIES:
            self._look.wait(BLIND_S)
            return ""
        del self._tries[waiting.request_id]
        told = f"not done: unexpected {type(error).__name__}; see the log"
        self._settle(waiting, told)
        return told

    def _is_settled(self, approval_id: str) -> bool:
        """Whether nobody can decide it any more; who may not decide it leaves it to others."""
        with self._store.read() as ledger:
            try:
                found = approvals.get(ledger, approval_id)
            except NotFoundError:
                return True
        return found.state != "waiting" or self._clock() >= found.expires_at

    def _settle(self, waiting: Waiting, outcome: str) -> None:
        with self._store.ledger() as ledger:
            requests.settle(ledger, waiting.request_id, outcome, self._clock())

    def _audit_refusal(self, ledger: Connection, ask: Ask, why: str) -> None:
        audit.append(
            ledger,
            at_s=self._clock(),
            actor=ask.actor,
            action="slack refused",
            subject=ask.id,
            doc={"verb": ask.verb, "about": ask.about},
            text={"why": why},
        )

    def _take_buttons_off(self, ask: Ask, told: str) -> None:
        """Show on the message that was asked at that nobody has to decide any more."""
        client = self._web.client

        def change(_limit: Limit) -> None:
            found = client.conversations_replies(channel=ask.channel, ts=ask.ts, limit=1)[
                "messages"
            ][0]
            left = [block for block in found["blocks"] if block.get("block_id") != BLOCK]
            said = {"type": "context", "elements": [plain(f"{ask.actor}: {told}"[:2000])]}
            client.chat_update(
                channel=ask.channel,
                ts=ask.ts,
                blocks=[*left, said],
                text=found["text"],
                parse="none",
            )

        try:
            self._web.within(change)
        except DeliveryError as error:
            log.info("buttons in Slack stay: %s", error.reason)

    @staticmethod
    def _aside(work: Callable[[], None]) -> None:
        """Run what talks to Slack elsewhere, so that a kill never waits for it."""
        threading.Thread(target=work, name="slack-answer", daemon=True).start()
