import pytest

from alerting.grants import Grant
from monitor.errors import NotFoundError
from monitor.ledger import audit, grants, trips
from monitor.store import Store

NOW = 1_700_000_000.0


def add(store: Store, scope: str, *, expires_at: float | None = None, agent_id: str = "a") -> str:
    with store.ledger() as ledger:
        return grants.add(
            ledger,
            agent_id=agent_id,
            scope=scope,
            reason="month end",
            granted_by="os:alice",
            now_s=NOW,
            expires_at=expires_at,
        )


def get(store: Store, grant_id: str) -> Grant:
    with store.read() as ledger:
        return grants.get(ledger, grant_id)


def allows(store: Store, scope: str, now_s: float = NOW, agent_id: str = "a") -> bool:
    with store.read() as ledger:
        return grants.allows(ledger, agent_id, scope, now_s)


def revoke(store: Store, grant_id: str, now_s: float = NOW) -> Grant:
    with store.ledger() as ledger:
        return grants.revoke(ledger, grant_id, "os:bob", now_s, reason="done")


def kill(store: Store) -> str:
    with store.ledger() as ledger:
        return trips.order_kill(
            ledger,
            agent_id="a",
            reason="why",
            ordered_by="os:alice",
            automatic=False,
            now_s=NOW + 10,
            points=(),
            receivers=(),
        ).trip_id


def restore(store: Store, now_s: float = NOW + 20) -> None:
    with store.ledger() as ledger:
        trips.order_restore(
            ledger,
            agent_id="a",
            reason="false alarm",
            ordered_by="os:alice",
            now_s=now_s,
            probation_s=60.0,
            receivers=(),
        )


def test_default_is_no(store: Store) -> None:
    assert not allows(store, "mail.send")
    add(store, "mail.send", agent_id="b")
    assert not allows(store, "mail.send")


@pytest.mark.parametrize(
    ("granted", "asked", "allowed"),
    [
        ("mail.send", "mail.send", True),
        ("mail.send", "mail.sender", False),
        ("mail.*", "mail.send", True),
        ("mail.*", "Mail.send", False),
        ("mail.send", "mail.*", False),
        ("mail.send", "*", False),
        ("db[prod]", "db[prod]", True),
        ("*", "anything\nat all", True),
    ],
)
def test_a_scope_covers_itself_and_what_its_pattern_matches(
    store: Store, granted: str, asked: str, allowed: bool
) -> None:
    add(store, granted)
    assert allows(store, asked) is allowed


def test_a_grant_ends_with_its_time(store: Store) -> None:
    add(store, "s", expires_at=NOW + 60)
    assert allows(store, "s", NOW + 59.9)
    assert not allows(store, "s", NOW + 60)


def test_a_revoked_grant_is_gone_for_good(store: Store) -> None:
    grant_id = add(store, "s")
    assert revoke(store, grant_id).revoked_by == "os:bob"
    assert not allows(store, "s")
    assert revoke(store, grant_id, NOW + 5).revoked_at == NOW
    with pytest.raises(NotFoundError, match="no grant 'x'"):
        revoke(store, "x")


def test_a_kill_takes_every_grant_and_a_restore_gives_them_back(store: Store) -> None:
    kept, short = add(store, "s"), add(store, "t", expires_at=NOW + 15)
    revoked_before = add(store, "u")
    revoke(store, revoked_before)
    trip_id = kill(store)
    assert not allows(store, "s", NOW + 11)
    assert get(store, kept).revoked_by == f"trip:{trip_id}"
    restore(store)
    assert allows(store, "s", NOW + 21)
    assert get(store, kept).revoked_by is None
    assert not allows(store, "t", NOW + 12)  # expired by the time of the restore
    assert get(store, short).revoked_by == f"trip:{trip_id}"
    assert not allows(store, "u", NOW + 21)


def test_what_is_granted_while_cut_off_never_comes_back(store: Store) -> None:
    trip_id = kill(store)
    grant_id = add(store, "s")
    assert get(store, grant_id).revoked_by == f"blocked:{trip_id}"
    restore(store)
    assert not allows(store, "s", NOW + 21)


def test_what_a_person_revokes_during_a_trip_is_not_given_back(store: Store) -> None:
    grant_id = add(store, "s")
    kill(store)
    revoke(store, grant_id, NOW + 15)
    restore(store)
    assert not allows(store, "s", NOW + 21)


def test_a_restore_gives_back_what_its_own_trip_took(store: Store) -> None:
    add(store, "s")
    first = kill(store)
    restore(store)
    second = kill(store)
    with store.ledger() as ledger:
        assert grants.give_back(ledger, first, "a", NOW + 30) == 0
        assert grants.give_back(ledger, second, "a", NOW + 30) == 1


def test_hostile_texts_are_kept_and_audited(store: Store) -> None:
    text = "\x00\ud800'; DROP TABLE grants; --"
    add(store, text)
    with store.read() as ledger:
        (grant,) = grants.list_grants(ledger, "a")
        assert audit.verify(ledger) is None
    assert "DROP TABLE" in grant.scope
