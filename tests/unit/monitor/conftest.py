"""Fixtures that several modules of this floor ask for."""

from collections.abc import Iterator

import pytest

from monitor.store import Store
from tests.kit.slack_room import Room
from tests.kit.slack_server import SlackServer


@pytest.fixture
def room(store: Store, slack: SlackServer) -> Iterator[Room]:
    made = Room(store, slack)
    try:
        made.open()
        yield made
    finally:
        made.close()
