"""Tokens in the ledger and on the command line."""

import json
from contextlib import closing

import pytest
from sqlalchemy import select

from monitor.cli.app import run
from monitor.config import StoreConfig
from monitor.errors import ExitCode, NotFoundError, UsageError
from monitor.ledger import audit, tokens
from monitor.ledger.tokens import Role, Token
from monitor.store import Store
from monitor.store.schema import tokens as table

NOW = 1_700_000_000.0


def add(
    store: Store, name: str = "gateway", role: Role = Role.VIEWER, lasts_s: float | None = None
) -> tuple[Token, str]:
    with store.ledger() as ledger:
        return tokens.add(ledger, name=name, role=role, by="os:alice", now_s=NOW, lasts_s=lasts_s)


def find(store: Store, secret: str, now_s: float = NOW) -> Token | None:
    with store.read() as ledger:
        return tokens.find(ledger, secret, now_s)


def test_a_secret_finds_its_token_and_nothing_else_does(store: Store) -> None:
    token, secret = add(store)
    other, other_secret = add(store, "other", Role.ADMIN)
    assert find(store, secret) == token
    assert find(store, other_secret) == other
    assert (token.actor, token.role) == ("token:gateway", Role.VIEWER)
    for wrong in (
        "",
        "tsw_",
        secret[:-1],
        secret + "x",
        secret.upper(),
        "\ud800",
        "\x00",
        "' OR 1=1",
    ):
        assert find(store, wrong) is None


def test_a_secret_has_256_bits_and_is_nowhere_in_the_store(store: Store) -> None:
    secrets = {add(store, f"t{number}")[1] for number in range(20)}
    assert len(secrets) == 20
    with store.read() as ledger:
        rows = str(ledger.execute(select(table)).all()) + str(audit.entries(ledger, 100))
    for secret in secrets:
        assert secret.startswith("tsw_")
        assert len(secret) == len("tsw_") + 43  # 32 bytes in base64
        assert secret not in rows
        assert secret.removeprefix("tsw_") not in rows


def test_a_token_ends_at_its_time_and_when_revoked(store: Store) -> None:
    _, short = add(store, "short", lasts_s=60.0)
    assert find(store, short, NOW + 59.9) is not None
    assert find(store, short, NOW + 60) is None
    _, secret = add(store)
    with store.ledger() as ledger:
        assert tokens.revoke(ledger, "gateway", by="os:bob", now_s=NOW + 1).revoked_by == "os:bob"
        assert tokens.revoke(ledger, "gateway", by="os:eve", now_s=NOW + 9).revoked_at == NOW + 1
        with pytest.raises(NotFoundError, match="no token 'none'"):
            tokens.revoke(ledger, "none", by="os:bob", now_s=NOW)
    assert find(store, secret, NOW + 1) is None
    with store.read() as ledger:
        assert tokens.any_known(ledger)
        assert tokens.any_valid(ledger, NOW + 59)
        assert not tokens.any_valid(ledger, NOW + 61)
        said = [(entry["actor"], entry["action"]) for entry in audit.entries(ledger, 10)]
    assert said == [
        ("os:alice", "token added"), ("os:alice", "token added"), ("os:bob", "token revoked"),
    ]  # fmt: skip


def test_a_name_means_one_token_for_ever(store: Store) -> None:
    add(store)
    with pytest.raises(UsageError, match="is in use"):
        add(store)
    with store.ledger() as ledger:
        tokens.revoke(ledger, "gateway", by="os:bob", now_s=NOW)
    with pytest.raises(UsageError, match="was in use"):
        add(store)
    for name in ("", "a b", "a/b", "x" * 65, "\x1b[2J", "-x", "ü", "a\n"):
        with pytest.raises(UsageError, match="no name"):
            add(store, name)


@pytest.mark.parametrize("role", list(Role))
def test_a_role_may_what_those_below_it_may(role: Role) -> None:
    order = [Role.VIEWER, Role.OPERATOR, Role.ADMIN]
    assert [role.covers(needed) for needed in order] == [
        order.index(needed) <= order.index(role) for needed in order
    ]


def test_the_commands(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, store_url: str
) -> None:
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", store_url)
    assert run("token add ci --role operator --for 90d".split()) == ExitCode.DONE
    told = capsys.readouterr()
    secret = told.out.strip()
    assert secret not in told.err
    with closing(Store.open(StoreConfig(url=store_url))) as opened, opened.read() as ledger:
        assert tokens.find(ledger, secret, tokens.get(ledger, "ci").created_at) is not None
    assert run("token add ci --role admin".split()) == ExitCode.USAGE
    assert run("token add ci2 --role root".split()) == ExitCode.USAGE
    assert run("token add ci2 --role admin --for soon".split()) == ExitCode.USAGE
    capsys.readouterr()
    assert run("token list --json".split()) == ExitCode.DONE
    (listed,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert set(listed) == {
        "name", "role", "valid", "created_by", "created_at", "expires_at", "revoked_at",
        "revoked_by",
    }  # fmt: skip
    assert (listed["name"], listed["role"], listed["valid"]) == ("ci", "operator", True)
    assert run("token revoke ci".split()) == ExitCode.DONE
    assert run("token revoke nobody".split()) == ExitCode.NOT_FOUND
    capsys.readouterr()
    assert run(["token"]) == ExitCode.DONE
    out = capsys.readouterr().out
    assert "ci  operator  revoked" in out
    assert secret not in out
