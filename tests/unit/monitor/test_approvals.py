"""Orders that wait for a person, against a real store."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.errors import NotFoundError, UsageError
from monitor.ledger import approvals, audit, tokens
from monitor.ledger.approvals import Approval
from monitor.ledger.tokens import Role
from monitor.store import Store

NOW = 1_700_000_000.0
LASTS_S = 900.0


def ask(store: Store, now_s: float = NOW, **changes: Any) -> Approval:
    values: dict[str, Any] = {
        "kind": "kill_role",
        "subject": "payroll",
        "reason": "INC-42",
        "asked_by": "os:alice",
        "lasts_s": LASTS_S,
    }
    with store.ledger() as ledger:
        return approvals.ask(ledger, now_s=now_s, **{**values, **changes})


def decide(store: Store, approval_id: str, now_s: float = NOW + 1, **changes: Any) -> Approval:
    values: dict[str, Any] = {"by": "os:bob", "approve": True, "reason": "seen it, too"}
    with store.ledger() as ledger:
        return approvals.decide(ledger, approval_id, now_s=now_s, **{**values, **changes})


def waiting(store: Store) -> list[str]:
    with store.read() as ledger:
        return [approval.approval_id for approval in approvals.list_waiting(ledger)]


def logged(store: Store) -> list[tuple[str, str, str]]:
    with store.read() as ledger:
        assert audit.verify(ledger) is None
        return [(e["actor"], e["action"], e["subject"]) for e in audit.entries(ledger, 100)]


def test_another_person_approves_what_one_asked_for(store: Store) -> None:
    asked = ask(store)
    assert (asked.state, asked.expires_at) == ("waiting", NOW + LASTS_S)
    assert waiting(store) == [asked.approval_id]
    approved = decide(store, asked.approval_id)
    assert (approved.state, approved.decided_by) == ("approved", "os:bob")
    assert (approved.decided_at, approved.decided_reason) == (NOW + 1, "seen it, too")
    assert waiting(store) == []
    assert logged(store) == [
        ("os:alice", "approval asked", "role:payroll"),
        ("os:bob", "approval approved", "role:payroll"),
    ]


@pytest.mark.parametrize("kind", ["kill_role", "kill_all"])
def test_who_asked_about_many_agents_does_not_approve_it_but_may_decline(
    store: Store, kind: str
) -> None:
    asked = ask(store, kind=kind, subject="payroll" if kind == "kill_role" else "")
    with pytest.raises(UsageError, match="may be the same person"):
        decide(store, asked.approval_id, by="os:alice")
    assert waiting(store) == [asked.approval_id]
    assert decide(store, asked.approval_id, by="os:alice", approve=False).state == "declined"


@pytest.mark.parametrize(
    ("asker", "second", "may_be_one"),
    [
        ("os:alice", "os:alice", True),
        ("os:alice", "os:bob", False),
        ("os:alice", "os:root via os:alice", True),
        ("os:root via os:alice", "os:alice", True),
        ("os:bob via os:alice", "os:alice", True),
        ("os:root via os:alice", "os:root via os:bob", True),
        ("os:root via os:alice", "os:bob", False),
        ("os:root", "os:alice", True),
        ("os:alice", "os:root", True),
        ("os:root", "slack:U1", False),
        ("token:ci", "token:ci", True),
        ("token:ci", "os:ci", False),
    ],
)
def test_who_became_another_user_is_no_second_person(
    store: Store, asker: str, second: str, may_be_one: bool
) -> None:
    asked = ask(store, asked_by=asker)
    if may_be_one:
        with pytest.raises(UsageError, match="may be the same person"):
            decide(store, asked.approval_id, by=second)
    else:
        assert decide(store, asked.approval_id, by=second).state == "approved"


@pytest.mark.parametrize(
    ("made", "asker", "second", "may_be_one"),
    [
        ({"two": "os:alice"}, "os:alice", "token:two", True),
        ({"two": "os:alice"}, "token:two", "os:alice", True),
        ({"two": "os:root via os:alice"}, "os:alice", "token:two", True),
        ({"two": "os:root"}, "os:alice", "token:two", True),
        ({"one": "os:carol", "two": "token:one"}, "token:one", "token:two", True),
        ({"one": "os:carol", "two": "token:one"}, "token:two", "token:one", True),
        ({"one": "os:alice", "two": "token:one"}, "os:alice", "token:two", True),
        ({"one": "os:carol", "two": "os:carol"}, "token:one", "token:two", False),
        ({"one": "os:root", "two": "os:root"}, "token:one", "token:two", False),
        ({"one": "os:carol", "two": "token:one"}, "os:alice", "token:two", False),
        ({"two": "os:carol"}, "os:alice", "token:two", False),
        ({"two": "os:carol"}, "slack:U1", "token:two", False),
    ],
)
def test_whoever_made_a_token_is_no_second_person_beside_it(
    store: Store, made: dict[str, str], asker: str, second: str, may_be_one: bool
) -> None:
    with store.ledger() as ledger:
        for name, by in made.items():
            tokens.add(ledger, name=name, role=Role.ADMIN, by=by, now_s=NOW)
    asked = ask(store, asked_by=asker)
    if may_be_one:
        with pytest.raises(UsageError, match="may be the same person"):
            decide(store, asked.approval_id, by=second)
    else:
        assert decide(store, asked.approval_id, by=second).state == "approved"


def test_a_long_way_of_tokens_leads_to_their_maker_too(store: Store) -> None:
    with store.ledger() as ledger:
        by = "os:alice"
        for number in range(40):
            by = tokens.add(ledger, name=f"t{number}", role=Role.ADMIN, by=by, now_s=NOW)[0].actor
        tokens.revoke(ledger, "t20", by="os:alice", now_s=NOW)
    asked = ask(store)
    with pytest.raises(UsageError, match="may be the same person"):
        decide(store, asked.approval_id, by=by)


def test_makers_that_somebody_wrote_in_a_circle_are_asked_about_once(store: Store) -> None:
    with store.ledger() as ledger:
        for name, by in (("one", "token:two"), ("two", "token:one")):
            tokens.add(ledger, name=name, role=Role.ADMIN, by=by, now_s=NOW)
        assert tokens.makers(ledger, "token:one") == ["token:two", "token:one"]


@pytest.mark.parametrize("by", ["rule:r", "tripswitch", "alice", ""])
def test_only_a_person_decides(store: Store, by: str) -> None:
    asked = ask(store, asked_by="rule:r", kind="trip", subject="a")
    with pytest.raises(UsageError, match="only a person"):
        decide(store, asked.approval_id, by=by)


def test_the_trip_that_a_rule_asks_for_is_approved_by_one_person(store: Store) -> None:
    asked = ask(
        store, kind="trip", subject="a", asked_by="rule:r", anomaly_id="x", anomaly_at=NOW - 5
    )
    assert (asked.anomaly_id, asked.anomaly_at) == ("x", NOW - 5)
    assert decide(store, asked.approval_id, by="os:alice").state == "approved"
    assert logged(store)[0] == ("rule:r", "approval asked", "a")


def test_what_waits_is_not_asked_twice(store: Store) -> None:
    asked = ask(store)
    again = ask(store, NOW + 5, asked_by="os:bob", reason="the same")
    assert again == asked
    assert ask(store, subject="crawlers").approval_id != asked.approval_id
    assert ask(store, kind="kill_all", subject="").approval_id != asked.approval_id
    assert len(waiting(store)) == 3


@pytest.mark.parametrize("approve", [True, False])
def test_what_is_decided_stays_so(store: Store, approve: bool) -> None:
    asked = ask(store)
    decided = decide(store, asked.approval_id, approve=approve)
    with pytest.raises(UsageError, match="already"):
        decide(store, asked.approval_id, approve=not approve)
    with store.ledger() as ledger:
        assert approvals.expire(ledger, asked.approval_id, NOW + LASTS_S) == decided
    assert ask(store, NOW + 2).approval_id != asked.approval_id


def test_nobody_decides_once_the_time_is_over(store: Store) -> None:
    asked = ask(store)
    with pytest.raises(UsageError, match="ran out"):
        decide(store, asked.approval_id, NOW + LASTS_S)
    with store.read() as ledger:
        assert approvals.expired(ledger, NOW + LASTS_S - 1) == []
        assert approvals.expired(ledger, NOW + LASTS_S) == [asked]
    with store.ledger() as ledger:
        assert approvals.expire(ledger, asked.approval_id, NOW + LASTS_S - 1).state == "waiting"
        ended = approvals.expire(ledger, asked.approval_id, NOW + LASTS_S)
    assert (ended.state, ended.decided_by, ended.decided_at) == ("expired", None, NOW + LASTS_S)
    with store.read() as ledger:
        assert approvals.expired(ledger, NOW + LASTS_S) == []
    assert logged(store)[-1] == ("tripswitch", "approval expired", "role:payroll")


def test_what_ran_out_unnoticed_is_asked_anew(store: Store) -> None:
    asked = ask(store)
    anew = ask(store, NOW + LASTS_S)
    assert anew.approval_id != asked.approval_id
    with store.read() as ledger:
        assert approvals.get(ledger, asked.approval_id).state == "expired"


def test_what_ends_in_a_trip_is_not_swept_away_by_asking_again(store: Store) -> None:
    asked = ask(store, kind="trip", subject="a", on_expiry="trip")
    assert ask(store, NOW + LASTS_S, kind="trip", subject="a") == asked
    assert waiting(store) == [asked.approval_id]


def test_an_unknown_one_and_an_empty_reason_are_refused(store: Store) -> None:
    with pytest.raises(NotFoundError):
        decide(store, "nope")
    asked = ask(store)
    with pytest.raises(UsageError, match="reason"):
        decide(store, asked.approval_id, reason=" ")


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(subject=st.text(max_size=1200), reason=st.text(max_size=3000))
def test_any_text_is_stored_and_found_again(store: Store, subject: str, reason: str) -> None:
    asked = ask(store, subject=subject, reason=reason)
    assert ask(store, subject=subject).approval_id == asked.approval_id
    assert len(asked.subject) <= 1024
    assert len(asked.reason) <= 2000
