"""What the routes about orders that need a second person answer, over both databases."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from monitor.client import ServerClient
from monitor.errors import ExitCode, NotFoundError, UsageError
from monitor.ledger import approvals
from monitor.ledger.tokens import Role
from monitor.store import Store
from tests.kit.api import bearer, served, token
from tests.kit.holds import know


@pytest.fixture
def api(store: Store, store_url: str) -> Iterator[httpx.Client]:
    know(store, "payroll", "p-1", "p-2")
    know(store, "crawler", "c-1")
    with served(store, store_url) as client:
        yield client


@pytest.fixture
def ann(api: httpx.Client, store: Store) -> Iterator[ServerClient]:
    with ServerClient(str(api.base_url), token(store, Role.OPERATOR, "ann")) as client:
        yield client


@pytest.fixture
def bob(api: httpx.Client, store: Store) -> Iterator[ServerClient]:
    with ServerClient(str(api.base_url), token(store, Role.OPERATOR, "bob")) as client:
        yield client


@pytest.mark.parametrize(
    ("role", "named"), [("payroll", {"p-1", "p-2"}), (None, {"p-1", "p-2", "c-1"})]
)
def test_an_order_about_many_takes_two_tokens(
    ann: ServerClient, bob: ServerClient, role: str | None, named: set[str]
) -> None:
    assert len(ann.kill_many(role, "INC-43", dry_run=True)["members"]) == len(named)
    assert ann.approvals() == []
    asked = ann.kill_many(role, "INC-43")
    assert (asked["agents"], asked["exit_code"]) == (len(named), ExitCode.PARTLY)
    assert (asked["asked_by"], asked["state"]) == ("token:ann", "waiting")
    assert [one["approval_id"] for one in bob.approvals()] == [asked["approval_id"]]
    assert ann.trips() == []

    with pytest.raises(UsageError, match="may be the same person"):
        ann.decide(asked["approval_id"], "me again", approve=True)
    approved = bob.decide(asked["approval_id"], "seen it, too", approve=True)
    assert (approved["decided_by"], approved["exit_code"]) == ("token:bob", ExitCode.DONE)
    assert approved["hold"]["contained"] == len(named)
    assert {trip["agent_id"] for trip in bob.trips()} == named
    (held,) = ann.holds()
    assert (held["ordered_by"], held["confirmed_by"]) == ("token:ann", "token:bob")
    with pytest.raises(UsageError, match="is on about"):
        ann.kill_many(role, "again")

    assert ann.restore_many(role, "fixed", dry_run=True)["dry_run"] is True
    lifted = ann.restore_many(role, "fixed", probation_s=60)
    assert (lifted["released"], lifted["lifted_by"]) == (len(named), "token:ann")
    assert {ann.state(agent)["state"] for agent in named} == {"probation"}
    with pytest.raises(NotFoundError):
        ann.restore_many(role, "fixed")


def test_a_token_that_one_made_for_oneself_is_no_second_person(
    api: httpx.Client, store: Store, bob: ServerClient
) -> None:
    admin = token(store, Role.ADMIN, "admin")
    made = api.post("/v1/tokens", json={"name": "two", "role": "admin"}, headers=bearer(admin))
    with (
        ServerClient(str(api.base_url), admin) as first,
        ServerClient(str(api.base_url), made.json()["secret"]) as second,
    ):
        asked = first.kill_many(None, "INC-43")
        with pytest.raises(UsageError, match="may be the same person"):
            second.decide(asked["approval_id"], "me again", approve=True)
    assert bob.holds() == []
    assert bob.decide(asked["approval_id"], "seen it, too", approve=True)["state"] == "approved"


def test_an_agent_that_was_never_seen_is_taken_out_of_a_hold(
    ann: ServerClient, bob: ServerClient
) -> None:
    asked = ann.kill_many(None, "INC-43")
    bob.decide(asked["approval_id"], "seen it, too", approve=True)
    restored = ann.restore("p-9", "needed")
    assert (restored["state"], restored["new"], restored["exit_code"]) == ("probation", True, 0)
    assert ann.state("p-9")["holds"] == []


def test_who_asked_may_decline_and_what_waits_no_longer_is_refused(ann: ServerClient) -> None:
    asked = ann.kill_many("payroll", "a drill")
    declined = ann.decide(asked["approval_id"], "nobody was told", approve=False)
    assert (declined["state"], declined["hold"]) == ("declined", None)
    with pytest.raises(UsageError, match="is declined by token:ann already"):
        ann.decide(asked["approval_id"], "r", approve=False)
    with pytest.raises(NotFoundError, match="no approval"):
        ann.decide("../x", "r", approve=True)
    assert ann.holds() == []


def test_a_question_of_a_rule_is_answered_with_a_trip(ann: ServerClient, store: Store) -> None:
    with store.ledger() as ledger:
        asked = approvals.ask(
            ledger, kind="trip", subject="p-1", reason="odd", asked_by="rule:odd",
            now_s=time.time(), lasts_s=600,
        )  # fmt: skip
    approved = ann.decide(asked.approval_id, "odd indeed", approve=True)
    assert (approved["trip"]["agent_id"], approved["trip"]["state"]) == ("p-1", "contained")


@pytest.mark.parametrize(
    "body",
    [
        {"reason": "r"},
        {"reason": "r", "role": "payroll", "all": True},
        {"reason": "r", "all": False},
        {"reason": "r", "role": ""},
        {"reason": "r", "role": None},
        {"role": "payroll"},
    ],
)
def test_everybody_is_never_meant_by_mistake(
    api: httpx.Client, store: Store, body: dict[str, Any]
) -> None:
    headers = bearer(token(store, Role.OPERATOR))
    for path in ("/v1/holds", "/v1/holds/lift"):
        assert api.post(path, json=body, headers=headers).status_code == 422
    with store.read() as ledger:
        assert approvals.list_waiting(ledger) == []
