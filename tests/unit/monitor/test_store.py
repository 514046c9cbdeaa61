import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import make_url, text, update
from sqlalchemy.exc import DBAPIError

from baselines.effect import EffectMap
from baselines.packed import pack
from baselines.profile import Profile, Rules
from monitor.config import StoreConfig
from monitor.ledger import audit
from monitor.sources import Place
from monitor.store import Store, StoreError, schema, shards
from monitor.store.engine import ABANDONED_S, LOCK_WAIT_S
from monitor.store.migrations import revisions, version_table
from monitor.store.shards import Claim, ShardLostError
from tests.kit.endless_writer import WAYS
from tests.kit.events import START_S, event
from tests.kit.frozen import freeze
from tests.kit.postgres import Postgres

RULES = Rules()


def claim(store: Store, now_s: float = START_S) -> tuple[Claim, Place | None]:
    with store.ledger() as ledger:
        mine = shards.claim(ledger, "topic", 3, owner="me", now_s=now_s)
    with store.state() as state:
        return mine, shards.adopt(state, mine, now_s)


def profile(agent_id: str) -> Profile:
    one = Profile(agent_id, RULES)
    seen = event(1, agent_id=agent_id)
    one.learn(one.observe(seen, EffectMap()))
    return one


def save(store: Store, mine: Claim, offset: int, *changed: Profile) -> None:
    with store.state() as state:
        shards.save(state, mine, Place(offset, {"inode": 7}), [*map(pack, changed)], START_S)


def load(store: Store, mine: Claim, *agents: str) -> list[Profile]:
    with store.state() as state:
        found, damaged = shards.load_profiles(state, mine, agents, RULES)
        shards.set_aside(state, mine, damaged, START_S)
        return found


def test_the_migrations_make_the_tables_that_the_code_uses(store: Store) -> None:
    for group, metadata in (("ledger", schema.ledger), ("state", schema.state)):
        with getattr(store, group)() as connection:
            context = MigrationContext.configure(
                connection,
                opts={
                    "include_object": lambda _o, name, kind, _r, _c, m=metadata: (
                        kind != "table" or name in m.tables
                    )
                },
            )
            assert compare_metadata(context, metadata) == []


def test_a_store_opens_while_others_write_to_it(store: Store, store_url: str) -> None:
    """Else a kill would wait for a large checkpoint."""
    with store.state() as state, store.ledger() as ledger:
        for connection, table in (
            (state, version_table("state")),
            (ledger, version_table("ledger")),
        ):
            connection.execute(text(f"UPDATE {table} SET version_num = version_num"))
        opened = Store.open(StoreConfig(url=store_url))
        with opened.read() as reader, opened.read_state() as other:
            for connection in (reader, other):
                connection.execute(text("SELECT 1")).one()
        opened.close()


def test_what_a_thread_still_uses_when_the_store_closes_is_closed_after_it(store: Store) -> None:
    with store.read() as reader:
        raw = reader.connection.dbapi_connection
        assert raw is not None
        store.close()
        reader.execute(text("SELECT 1")).one()
    with pytest.raises(Exception, match=r"closed"):
        raw.cursor().execute("SELECT 1")


@pytest.mark.service
def test_what_a_frozen_process_has_locked_comes_free(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.store.engine.ABANDONED_S", 0.5)
    url = postgres.new_store()
    frozen, other = (Store.open(StoreConfig(url=url)) for _ in range(2))

    def lock_and_freeze() -> None:
        with frozen.ledger() as held:
            audit.lock(held)
            with other.ledger() as ledger:
                audit.lock(ledger)  # waits until the database has given the first one up
            audit.lock(held)

    with pytest.raises(DBAPIError):
        lock_and_freeze()
    with frozen.ledger() as ledger:
        audit.lock(ledger)
    frozen.close()
    other.close()
    postgres.drop(url)


@pytest.mark.service
@pytest.mark.parametrize("how", WAYS)
def test_what_a_process_has_locked_that_froze_while_it_wrote_many_rows_comes_free(
    postgres: Postgres, how: str
) -> None:
    url = postgres.new_store()
    with closing(Store.open(StoreConfig(url=url))) as other:
        for written_s in (0.2, 0.5):
            writer = subprocess.Popen(
                [sys.executable, "-m", "tests.kit.endless_writer", url, how], stdout=subprocess.PIPE
            )
            try:
                assert writer.stdout is not None
                assert writer.stdout.readline() == b"locked\n"
                time.sleep(written_s)
                freeze(writer)
                with other.ledger() as ledger:
                    # the wait for a lock ends in an error before the writer does
                    audit.lock(ledger)
            finally:
                writer.kill()
                writer.communicate()
    postgres.drop(url)


@pytest.mark.service
def test_what_threads_of_a_frozen_process_wait_for_does_not_become_theirs(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each of them would keep it in its turn until that is taken for abandoned."""
    assert LOCK_WAIT_S < ABANDONED_S
    monkeypatch.setattr("monitor.store.engine.LOCK_WAIT_S", 0.3)
    url = postgres.new_store()
    frozen = Store.open(StoreConfig(url=url))

    def wait(_number: int) -> None:
        with frozen.ledger() as ledger:
            audit.lock(ledger)

    with ThreadPoolExecutor(3) as threads, frozen.ledger() as held:
        audit.lock(held)
        for waiting in [threads.submit(wait, number) for number in range(3)]:
            with pytest.raises(DBAPIError, match="lock timeout"):
                waiting.result()
    wait(0)
    frozen.close()
    postgres.drop(url)


@pytest.mark.service
def test_a_database_whose_host_vanished_is_not_waited_for(postgres: Postgres) -> None:
    url = make_url(postgres.new_store())
    ours = url.update_query_dict({"tcp_user_timeout": "5000", "keepalives_count": "2"})
    for named, expected in (
        (url, {"keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3",
               "tcp_user_timeout": "20000", "connect_timeout": "10"}),
        (ours, {"keepalives_idle": "10", "keepalives_count": "2", "tcp_user_timeout": "5000"}),
    ):  # fmt: skip
        shown = named.render_as_string(hide_password=False)
        with closing(Store.open(StoreConfig(url=shown))) as store, store.read() as reader:
            connection = reader.connection.driver_connection
            assert connection is not None
            assert connection.info.get_parameters().items() >= expected.items()
    postgres.drop(url.render_as_string(hide_password=False))


def test_a_store_of_a_newer_version_is_refused_by_name(store: Store, store_url: str) -> None:
    with store.ledger() as ledger:
        ledger.execute(text(f"UPDATE {version_table('ledger')} SET version_num = '9999'"))
    with pytest.raises(StoreError, match="schema 9999, which a newer Tripswitch wrote"):
        Store.open(StoreConfig(url=store_url))
    assert revisions("ledger")[-1] < "9999"


def test_what_is_no_database_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("not a database, whatever its name says" * 100)
    with pytest.raises(StoreError, match=r"ledger\.db: file is not a database"):
        Store.open(StoreConfig(url=f"sqlite:///{tmp_path}/ledger.db"))


def test_an_unreachable_store_is_named_without_its_password() -> None:
    with pytest.raises(StoreError) as error:
        Store.open(StoreConfig(url="postgresql+psycopg://nobody:hunter2@127.0.0.1:1/none"))
    assert "hunter2" not in str(error.value)
    assert "127.0.0.1" in str(error.value)


def test_profiles_and_place_come_back(store: Store) -> None:
    mine, place = claim(store)
    assert place is None
    save(store, mine, 10, profile("a"), profile("b\u202e😀"))
    save(store, mine, 12, profile("a"))
    mine, place = claim(store)
    assert place == Place(12, {"inode": 7})
    found = load(store, mine, "a", "b\u202e😀", "never seen")
    assert sorted(p.agent_id for p in found) == ["a", "b\u202e😀"]
    assert found[0].dump() in (profile("a").dump(), profile("b\u202e😀").dump())


def test_many_profiles_are_stored_and_each_is_replaced_by_its_own(store: Store) -> None:
    mine, _ = claim(store)
    agents = [f"agent-{number}" for number in range(250)]  # two statements and a half
    some = [profile(agent_id) for agent_id in agents]
    for offset in (1, 2):
        save(store, mine, offset, *some)
        for one in some:
            one.role = "payroll" if one.agent_id.endswith("7") else None
    save(store, mine, 3, *some)
    with store.state() as state:
        found, damaged = shards.load_profiles(state, mine, agents, RULES)
    assert {one.agent_id: one.dump() for one in found} == {one.agent_id: one.dump() for one in some}
    assert not damaged


def test_one_who_lost_the_shard_can_save_nothing(store: Store) -> None:
    mine, _ = claim(store)
    save(store, mine, 10)
    later, place = claim(store)
    assert place is not None
    with pytest.raises(ShardLostError):
        save(store, mine, 11, profile("a"))
    with store.ledger() as ledger, pytest.raises(ShardLostError):
        shards.check(ledger, mine)
    with store.ledger() as ledger:
        shards.check(ledger, later)
    with store.state() as state, pytest.raises(ShardLostError):
        shards.adopt(state, mine, START_S)
    assert load(store, later, "a") == []


def test_a_checkpoint_never_goes_back(store: Store) -> None:
    mine, _ = claim(store)
    save(store, mine, 10)
    with pytest.raises(ShardLostError):
        save(store, mine, 9)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (b"", "checksum does not match"),
        (b"\x93\x01\x02", "checksum does not match"),
        (b"\x00" * (shards.MAX_BODY_BYTES + 1), "8388609 bytes; at most 8388608 are taken"),
    ],
    ids=["nothing", "garbage", "much"],
)
def test_a_damaged_profile_is_set_aside_and_said(
    store: Store, damage: bytes, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    mine, _ = claim(store)
    save(store, mine, 10, profile("a"), profile("b"))
    with store.state() as state:
        state.execute(
            update(schema.profiles).where(schema.profiles.c.agent_id == "a").values(body=damage)
        )
    assert [p.agent_id for p in load(store, mine, "a", "b")] == ["b"]
    assert "'a'" in caplog.text
    assert why in caplog.text
    with store.state() as state:
        kept = state.execute(schema.damaged_profiles.select()).one()
    assert (kept.agent_id, kept.body) == ("a", damage)
