"""Fixtures that every floor's tests may ask for."""

import importlib
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from logging import Logger
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

from monitor.config import StoreConfig
from monitor.store import Store
from tests.kit.broker import Broker, create_topic, open_broker
from tests.kit.points import install_plugin
from tests.kit.postgres import Postgres
from tests.kit.slack_server import SlackServer, slack_server

PARTITIONS: Final = 4
_MEMORY: Final = Path("/dev/shm")
_ENOUGH_BYTES: Final = 4 << 30
settings.register_profile("unhurried", settings(), deadline=None)  # machines are shared and noisy
settings.load_profile("unhurried")


def pytest_configure() -> None:
    """Keep the tests' files in memory where Linux has room for them: on a disk, to make a hundred
    files for each database of PostgreSQL and to remove them took two fifths of the time."""
    if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


@pytest.fixture(autouse=True)
def _own_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reads the settings, or writes to the store, of whoever runs it."""
    for name in list(os.environ):
        if name.upper().startswith("TRIPSWITCH_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(autouse=True)
def _own_log_levels() -> Iterator[None]:
    """A command quiets what it tells itself; the tests behind it in this process hear all again."""
    loggers = [one for one in logging.root.manager.loggerDict.values() if isinstance(one, Logger)]
    before = [(logger, logger.level) for logger in loggers]
    yield
    for logger, level in before:
        if logger.level != level:
            logger.setLevel(level)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The broker of this session; a test that stops it starts it again."""
    broker = open_broker(tmp_path_factory.mktemp("kafka"))
    yield broker
    broker.close()


@pytest.fixture
def topic(kafka: Broker) -> str:
    """A fresh topic of `PARTITIONS` partitions."""
    return create_topic(kafka, PARTITIONS)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """The PostgreSQL server of this session."""
    server = Postgres(tmp_path_factory.mktemp("postgres"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite store with its tables: to copy it takes a tenth of making them."""
    path = tmp_path_factory.mktemp("template") / "ledger.db"
    Store.open(StoreConfig(url=f"sqlite:///{path}")).close()
    return path


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.service)],
)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh store, once for each database; without tables unless `store` is used."""
    with_tables = "store" in request.fixturenames
    if request.param == "sqlite":
        if with_tables:
            template: Path = request.getfixturevalue("sqlite_template")
            for file in template.parent.iterdir():
                shutil.copy(file, tmp_path)
        yield f"sqlite:///{tmp_path / 'ledger.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.new_store() if with_tables else server.new_database()
    yield url
    server.drop(url)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A fresh store, opened."""
    opened = Store.open(StoreConfig(url=store_url))
    yield opened
    opened.close()


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackServer]:
    """An HTTP server that answers as Slack does, reached without any proxy of this machine."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with slack_server() as server:
        yield server


@pytest.fixture
def plugin_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A package with enforcement points, installed; what its point enforces, by agent."""
    install_plugin(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("tripswitch_in_memory").STATES
    del sys.modules["tripswitch_in_memory"]
