"""The jobs that run now and then, beside the stream."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from apscheduler.executors.pool import ThreadPoolExecutor  # type: ignore[import-untyped]
from apscheduler.schedulers.background import (  # type: ignore[import-untyped]
    BackgroundScheduler,
)

from monitor import retention
from monitor.audit_heads import Publisher
from monitor.current import Current
from monitor.digest import Digests
from monitor.health import Health
from monitor.ledger import (
    alerts,
    approvals,
    audit_erase,
    incidents,
    meter,
    mutes,
    pauses,
    probation,
    reminders,
    trip_question,
)
from monitor.ledger.response import Response
from monitor.metrics import Metrics
from monitor.roundup import Roundup
from monitor.status import Status
from monitor.store import Store, inventory
from monitor.store.engine import STORE_ERRORS, reason

log = logging.getLogger(__name__)

END_EVERY_S: Final = 2
"""How late a question or a pause may end."""
METER_EVERY_S: Final = 5
TEACH_EVERY_S: Final = 2
KEEP_UP_EVERY_S: Final = 5
"""How late what was told of an incident is brought up to date, or a reminder comes."""
ROUND_UP_EVERY_S: Final = 1
_ROUND_UP_S: Final = 0.5
"""So much of each second goes into an order about many agents; the store has other work, too."""
PUBLISH_EVERY_S: Final = 10
DIGEST_EVERY_S: Final = 30
PRUNE_AFTER_S: Final = 10
"""What is pruned every hour is pruned so long after the start for the first time."""
STATUS_EVERY_S: Final = 60


def schedule(
    current: Current,
    store: Store,
    response: Response,
    metrics: Metrics | None,
    publisher: Publisher | None,
    roundup: Roundup,
    wake: Callable[[], None],
    health: Health,
    digests: Digests,
    status: Status,
) -> BackgroundScheduler:
    """All jobs, not started yet.

    Parameters
    ----------
    current
        The settings as they are at each moment.
    metrics
        What takes in how long trips took; None: nobody does.
    publisher
        What publishes the head of the audit's chain; None where no Kafka is named.
    roundup
        What carries out orders about many agents.
    wake
        Called after something was put into the ledger that a lane is to act on.
    health
        What watches the monitor itself.
    digests
        What tells what happened, once a day and once a week.
    status
        What the log tells of all this, now and then.
    """
    # More threads than jobs: what hangs with the store must not keep `look` from its thread.
    jobs = BackgroundScheduler(timezone="UTC", executors={"default": ThreadPoolExecutor(20)})
    started_s = time.time()

    def resolve_what_is_quiet() -> None:
        with store.ledger() as ledger:
            quiet_s = current.config.alerts.quiet_s
            if alerts.resolve_what_is_quiet(ledger, response.receivers, quiet_s, time.time()):
                wake()

    def end_what_ran_out() -> None:
        if end_overdue(store, response, time.time()):
            wake()

    def keep_up() -> None:
        if keep_told(store, response, current.config.alerts.remind_s, time.time()):
            wake()

    def round_up() -> None:
        if roundup.look(_ROUND_UP_S):
            wake()

    def teach_probation() -> None:
        with store.read() as ledger:
            restored = probation.untaught(ledger, time.time())
        if restored:
            with store.read_state() as state:
                seen = inventory.sightings(state, [one.agent_id for one in restored])
            places = {agent: [(s.source, s.partition) for s in of] for agent, of in seen.items()}
            with store.ledger() as ledger:
                probation.teach(ledger, places, time.time())

    def measure() -> None:
        with store.read() as ledger:
            new = meter.any_new(ledger, started_s)
        if new and metrics is not None:
            with store.ledger() as ledger:
                reached = meter.take(ledger, started_s)
            metrics.observe(reached)

    def prune() -> None:
        retention.prune(store, current.config, time.time())

    def prune_audit_details() -> None:
        details_days = current.config.retention.audit_details_days
        if details_days is not None:
            before_s = time.time() - details_days * retention.DAY_S
            forget(store, before_s, time.time())

    jobs.add_job(status.tell, "interval", seconds=STATUS_EVERY_S, coalesce=True)
    jobs.add_job(_guarded(resolve_what_is_quiet, store), "interval", seconds=15)
    jobs.add_job(_guarded(end_what_ran_out, store), "interval", seconds=END_EVERY_S)
    jobs.add_job(_guarded(keep_up, store), "interval", seconds=KEEP_UP_EVERY_S)
    jobs.add_job(_guarded(teach_probation, store), "interval", seconds=TEACH_EVERY_S)
    jobs.add_job(_guarded(round_up, store), "interval", seconds=ROUND_UP_EVERY_S)
    look_every_s = current.config.health.look_every_s
    jobs.add_job(health.look, "interval", seconds=look_every_s, coalesce=True)
    jobs.add_job(_guarded(digests.look, store), "interval", seconds=DIGEST_EVERY_S, coalesce=True)
    # A daemon that is restarted every hour has to come round to these, too.
    first = datetime.fromtimestamp(started_s + PRUNE_AFTER_S, UTC)
    for job in (prune, prune_audit_details):
        jobs.add_job(_guarded(job, store), "interval", hours=1, jitter=300, next_run_time=first)
    if publisher is not None:
        publish = _guarded(publisher.publish, store)
        jobs.add_job(publish, "interval", seconds=PUBLISH_EVERY_S, coalesce=True)
    if metrics is not None:
        jobs.add_job(_guarded(measure, store), "interval", seconds=METER_EVERY_S)
    return jobs


def keep_told(store: Store, response: Response, remind_s: float, now_s: float) -> bool:
    """Bring what was told up to date, and remind of what nobody looks after; whether any was."""
    with store.read() as ledger:
        stale = incidents.is_any_stale(ledger, now_s)
        due = reminders.is_any_due(ledger, remind_s, now_s)
    if not (stale or due):
        return False
    with store.ledger() as ledger:
        incidents.refresh(ledger, response.receivers, now_s)
        reminders.remind(ledger, response.receivers, remind_s, now_s)
    return True


def end_overdue(store: Store, response: Response, now_s: float) -> bool:
    """End questions that nobody answered in time, pauses and mutes; whether there was any."""
    with store.read() as ledger:
        over = approvals.expired(ledger, now_s) or pauses.ran_out(ledger, now_s)
        if not over and not mutes.ran_out(ledger, now_s):
            return False
    with store.ledger() as ledger:
        mutes.end_what_ran_out(ledger, response.receivers, now_s)
        pauses.end_what_ran_out(ledger, response.receivers, now_s)
        trip_question.end_unanswered(
            ledger, response.guards, response.points, response.receivers, now_s
        )
    return True


def forget(store: Store, before_s: float, now_s: float) -> None:
    """Erase the audit's details that are older, in transactions that let a kill in between."""
    erased = audit_erase.BATCH
    while erased == audit_erase.BATCH:
        with store.ledger() as ledger:
            erased = audit_erase.erase_older(ledger, before_s, now_s)


def _guarded(job: Callable[[], object], store: Store) -> Callable[[], None]:
    """A job that says in one line when the store fails it; its next run tries again."""

    def run() -> None:
        try:
            job()
        except STORE_ERRORS as error:
            log.error("job %s: store %s: %s", job.__name__, store.url, reason(error))

    return run
