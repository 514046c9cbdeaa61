"""Backups taken while the daemon works, as deploy/README.md says, and upgrades of a store."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from sqlalchemy import Engine, create_engine, make_url

from monitor.config import StoreConfig
from monitor.ledger import grants, tokens
from monitor.ledger.audit_read import verify
from monitor.ledger.tokens import Role
from monitor.store import Store
from monitor.store.migrations import alembic_config, revisions
from tests.kit.events import START_S
from tests.kit.stream import odd_stream
from tests.unit.monitor.test_worker import drain, make, replayed, stored

DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}
ROOT = Path(__file__).resolve().parents[3]


def copied(source: Path, to: Path) -> None:
    """What `.backup` of SQLite's shell does."""
    with closing(sqlite3.connect(source)) as there, closing(sqlite3.connect(to)) as here:
        there.backup(here)


def test_a_backup_of_sqlite_goes_on_and_finds_the_same(tmp_path: Path) -> None:
    lines = odd_stream(1200)
    log = tmp_path / "events.jsonl"
    log.write_bytes(b"\n".join(lines[:700]) + b"\n")
    readme = (ROOT / "deploy" / "README.md").read_text("utf-8")
    order = re.findall(r"sqlite3 (ledger\S*\.db) ", readme)
    assert order == ["ledger-state.db", "ledger.db"]  # the ledger may be ahead, never behind
    with closing(Store.open(StoreConfig(url=f"sqlite:///{tmp_path / 'ledger.db'}"))) as store:
        worker = make(store, log)
        drain(worker)
        (tmp_path / "backup").mkdir()
        copied(tmp_path / order[0], tmp_path / "backup" / order[0])
        with log.open("ab") as file:
            file.write(b"\n".join(lines[700:]) + b"\n")
        drain(worker)  # goes on between the two copies
        copied(tmp_path / order[1], tmp_path / "backup" / order[1])
        worker.checkpoint()
    with closing(Store.open(StoreConfig(url=f"sqlite:///{tmp_path}/backup/ledger.db"))) as store:
        drain(make(store, log))
        found = stored(store)
    assert sorted(found) == sorted(set(replayed(lines)))


def old_store(url: str) -> Engine:
    """A ledger as the version before this one left it."""
    engine = create_engine(make_url(url).set(drivername=DRIVERS[make_url(url).get_backend_name()]))
    with engine.begin() as connection:
        settings = alembic_config("ledger")
        settings.attributes["connection"] = connection
        command.upgrade(settings, revisions("ledger")[-2])
    return engine


def test_an_upgrade_from_the_previous_schema_keeps_what_is_in_force(store_url: str) -> None:
    before = old_store(store_url)
    with before.begin() as ledger:
        grant_id = grants.add(
            ledger,
            agent_id="payroll-1",
            scope="mail.*",
            reason="month end",
            granted_by="os:alice",
            now_s=START_S,
            expires_at=None,
        )
        tokens.add(ledger, name="gw", role=Role.VIEWER, by="os:alice", now_s=START_S, lasts_s=None)
    before.dispose()
    with closing(Store.open(StoreConfig(url=store_url))) as store:
        with store.read() as ledger:
            (kept,) = grants.list_grants(ledger, "payroll-1", 10)
            assert kept.grant_id == grant_id
            assert [token.name for token in tokens.list_tokens(ledger)] == ["gw"]
            assert verify(ledger) is None
        with store.ledger() as ledger:
            grants.revoke(ledger, grant_id, "os:bob", START_S + 1, reason="over")
