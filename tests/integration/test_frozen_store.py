"""The database freezes under the real daemon: its connections stay open, and no query ends."""

from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from alerting.message import Message
from alerting.notify.contract import stopwatch
from monitor.config import StoreConfig
from monitor.last_call import STOP_WITHIN_S
from monitor.store import Store
from monitor.store.schema import outbox, shards
from tests.kit.daemon import Daemon
from tests.kit.events import START_S, raw_event
from tests.kit.health import free_port
from tests.kit.postgres import Postgres

pytestmark = pytest.mark.service


def test_a_daemon_whose_database_is_frozen_says_so_goes_on_after_it_and_can_be_stopped(
    postgres: Postgres, tmp_path: Path
) -> None:
    url, port, log = postgres.new_store(), free_port(), tmp_path / "events.jsonl"
    daemon = Daemon(
        tmp_path,
        {
            "TRIPSWITCH_STORE__URL": url,
            "TRIPSWITCH_STORE__CHECKPOINT_INTERVAL_S": "0.2",
            "TRIPSWITCH_SOURCE__PATH": str(log),
            "TRIPSWITCH_HEALTH__LOOK_EVERY_S": "0.5",
            "TRIPSWITCH_HEALTH__WORKER_S": "5",
            "TRIPSWITCH_METRICS__PORT": str(port),
        },
    )
    store = Store.open(StoreConfig(url=url))

    def write(number: int) -> None:
        with log.open("ab") as file:
            file.write(raw_event(number, START_S + number) + b"\n")

    def is_read() -> bool:
        with store.read_state() as state:
            read: int = sum(state.execute(select(shards.c.next_offset)).scalars())
        return read == log.stat().st_size

    def ask(path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{port}/{path}", trust_env=False, timeout=60)

    def told() -> list[str]:
        with store.read() as ledger:
            docs = ledger.execute(select(outbox.c.doc).order_by(outbox.c.seq)).scalars().all()
        found = map(Message.model_validate_json, docs)
        return [f"{one.kind} {dict(one.details).get('condition')}" for one in found]

    write(1)
    daemon.start()
    try:
        daemon.wait_for(is_read)
        daemon.wait_for(lambda: ask("readyz").status_code == 200)
        postgres.freeze()
        try:
            write(2)
            daemon.wait_for(lambda: "worker: " in " ".join(ask("readyz").json()["reasons"]))
            daemon.wait_for(
                lambda: "cannot be told: worker: the loop has not turned" in daemon.log.read_text()
            )
            # Once it is known that the store is what holds the loop up, no restart would help.
            daemon.wait_for(lambda: ask("livez").status_code == 200)
        finally:
            postgres.thaw()
        daemon.wait_for(is_read)
        daemon.wait_for(lambda: ask("readyz").status_code == 200)
        daemon.wait_for(lambda: "health_over" in " ".join(told()))
        postgres.freeze()
        try:
            with stopwatch() as passed_s:
                assert daemon.stop() == 0
                assert passed_s() < STOP_WITHIN_S
        finally:
            postgres.thaw()
    finally:
        if daemon.is_running():
            daemon.kill()
        store.close()
        postgres.drop(url)
