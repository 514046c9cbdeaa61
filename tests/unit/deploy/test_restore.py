"""How PostgreSQL is put back: the README's own commands, against a real server."""

import os
import re
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, make_url, text

from monitor.config import StoreConfig
from monitor.store import Store
from tests.kit.postgres import Postgres

README = (Path(__file__).resolve().parents[3] / "deploy" / "README.md").read_text("utf-8")


@pytest.mark.service
def test_a_dump_is_put_back_and_nothing_of_a_newer_version_stays(
    postgres: Postgres, tmp_path: Path
) -> None:
    stored = postgres.new_store()
    url = make_url(stored)
    assert url.database
    surroundings = dict(os.environ)
    if postgres._server is not None:
        surroundings["PATH"] = f"{postgres._server.bin_path}:{surroundings['PATH']}"
    for name, value in (
        ("PGHOST", url.host or url.query.get("host")),
        ("PGPORT", url.port),
        ("PGUSER", url.username),
        ("PGPASSWORD", url.password),
    ):
        if value:
            surroundings[name] = str(value)

    def type_in(command: str) -> None:
        command = re.sub(r"-O tripswitch\b", f"-O {url.username}", command)
        command = re.sub(r"\btripswitch\b(?!\.dump)", str(url.database), command)
        told = subprocess.run(
            ["sh", "-c", command],
            cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert told.returncode == 0, told.stderr

    (dump,) = re.findall(r"^    (pg_dump .*)$", README, re.MULTILINE)
    (restore,) = re.findall(r"^    (dropdb .*)$", README, re.MULTILINE)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE of_before (x int)"))
    before = set(inspect(engine).get_table_names())
    type_in(dump)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE of_the_newer_version (x int)"))
        connection.execute(text("DROP TABLE of_before"))
    engine.dispose()
    type_in(restore)
    assert set(inspect(engine).get_table_names()) == before
    engine.dispose()
    with closing(Store.open(StoreConfig(url=stored))):
        pass
    postgres.drop(stored)
