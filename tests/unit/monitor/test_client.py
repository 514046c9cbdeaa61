"""The client against a real server, and against what is none."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from monitor.client import RefusedError, ServerClient, ServerError, find_token
from monitor.errors import ExitCode, NotFoundError, UsageError
from monitor.ledger.tokens import Role
from monitor.store import Store
from tests.kit.api import served, token


@pytest.fixture
def api(store: Store, store_url: str) -> Iterator[httpx.Client]:
    with served(store, store_url) as client:
        yield client


def test_it_orders_and_asks_as_the_command_line_does(api: httpx.Client, store: Store) -> None:
    secret = token(store, Role.OPERATOR)
    with ServerClient(str(api.base_url), secret) as client:
        assert client.kill("team/a", "INC-42", dry_run=True)["dry_run"] is True
        assert client.state("team/a")["state"] == "active"
        killed = client.kill("team/a", "INC-42")
        assert (killed["agent_id"], killed["exit_code"]) == ("team/a", ExitCode.DONE)
        assert client.state("team/a")["state"] == "contained"
        assert client.grants("team/a", "mail.send")["allowed"] is False
        assert client.grants("team/a")["grants"] == []
        assert [trip["trip_id"] for trip in client.trips("team/a")] == [killed["trip_id"]]
        assert client.trips("other") == []
        assert client.trip(killed["trip_id"])["reason"] == "INC-42"
        restored = client.restore("team/a", "false alarm", probation_s=60)
        assert restored["state"] == "probation"
        for agent in ("..", ".", "a/../b", "%2F", "?"):
            assert client.kill(agent, "r")["agent_id"] == agent


def test_what_goes_wrong_has_the_exit_codes_of_the_command_line(
    api: httpx.Client, store: Store
) -> None:
    url, viewer = str(api.base_url), token(store, Role.VIEWER)
    with ServerClient(url, viewer) as client:
        with pytest.raises(RefusedError, match="this needs operator") as refused:
            client.kill("a", "r")
        assert refused.value.exit_code == ExitCode.FAILED
        assert viewer not in str(refused.value)
        with pytest.raises(NotFoundError, match="no trip 'x'"):
            client.trip("x")
        with pytest.raises(UsageError, match="NUL"):
            client.state("\x00")
    for wrong in (None, "tsw_wrong"):
        with ServerClient(url, wrong) as client, pytest.raises(RefusedError, match="token"):
            client.trips()
    with pytest.raises(UsageError, match="characters that no token has"):
        ServerClient(url, "tsw_ü")
    with ServerClient("http://user:hunter2@127.0.0.1:1", viewer) as client:
        with pytest.raises(ServerError, match=r"server http://127\.0\.0\.1:1") as gone:
            client.state("a")
        assert gone.value.exit_code == ExitCode.FAILED
        assert "hunter2" not in str(gone.value)
    with ServerClient(f"{url}/elsewhere", viewer) as client, pytest.raises(NotFoundError):
        client.state("a")
    for none in ("", "tripswitch:8377", "ftp://x", "http://", "//x"):
        with pytest.raises(UsageError, match="no URL of a server"):
            ServerClient(none)


def test_what_is_no_tripswitch_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    client = ServerClient("http://127.0.0.1:1", "tsw_x")
    for body in ("<html>\x1b[2J", "[]", '"x"'):

        def answer(_: httpx.Request, body: str = body) -> httpx.Response:
            return httpx.Response(200, text=body)

        elsewhere = httpx.Client(base_url=client.url, transport=httpx.MockTransport(answer))
        monkeypatch.setattr(client, "_client", elsewhere)
        with pytest.raises(ServerError, match="is that a `tripswitch serve`"):
            client.state("a")
        elsewhere.close()


def test_the_token_comes_from_a_file_or_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert find_token() is None
    file = tmp_path / "token"
    file.write_text("tsw_file\n")
    assert find_token(file) == "tsw_file"
    monkeypatch.setenv("TRIPSWITCH_TOKEN_FILE", str(file))
    assert find_token() == "tsw_file"
    monkeypatch.setenv("TRIPSWITCH_TOKEN", "tsw_variable")
    assert find_token() == "tsw_variable"
    file.write_text("  ")
    with pytest.raises(UsageError, match="is empty"):
        find_token(file)
    with pytest.raises(UsageError, match="token file"):
        find_token(tmp_path / "missing")
