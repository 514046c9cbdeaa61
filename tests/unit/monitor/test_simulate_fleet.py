import itertools
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.event import ActionEvent
from monitor.errors import UsageError
from monitor.simulate import KINDS, Act, Fleet, Incident
from monitor.simulate.roles import ROLES

MONDAY_S = 1_769_990_400.0  # 2026-02-02T00:00:00Z
DAY_S = 86_400.0


def acts(fleet: Fleet, days: float) -> list[Act]:
    end_s = MONDAY_S + days * DAY_S
    return list(itertools.takewhile(lambda act: act.event.time.timestamp() < end_s, fleet.acts()))


def lines(found: list[Act]) -> list[str]:
    return [act.event.model_dump_json(exclude_none=True) for act in found]


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    agents=st.integers(1, 14),
    kinds=st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.floats(0, 0.5)), max_size=3),
)
def test_any_fleet_is_in_time_order_with_unique_ids_and_keeps_the_event_contract(
    seed: int, agents: int, kinds: list[tuple[str, float]]
) -> None:
    incidents = [Incident(kind, MONDAY_S + day * DAY_S) for kind, day in kinds]
    found = acts(Fleet(seed, agents, MONDAY_S, incidents), days=0.6)
    assert all(a.event.time <= b.event.time for a, b in itertools.pairwise(found))
    assert len({act.event.event_id for act in found}) == len(found)
    for act, line in zip(found, lines(found), strict=True):
        assert ActionEvent.parse(line.encode()) == act.event


def test_the_same_seed_gives_the_same_bytes_and_another_seed_gives_others() -> None:
    plan = [Incident("hijack", MONDAY_S + DAY_S / 2)]
    once = lines(acts(Fleet(7, 6, MONDAY_S, plan), days=1))
    assert once == lines(acts(Fleet(7, 6, MONDAY_S, plan), days=1))
    assert once != lines(acts(Fleet(8, 6, MONDAY_S, plan), days=1))


def test_normal_work_is_the_same_with_incidents_and_with_more_agents() -> None:
    plan = [Incident(kind, MONDAY_S + DAY_S / 2) for kind in KINDS]
    alone = lines(acts(Fleet(3, 6, MONDAY_S), days=1))
    among = [act for act in acts(Fleet(3, 6, MONDAY_S, plan), days=1) if act.incident is None]
    assert lines(among) == alone
    bigger = [
        act for act in acts(Fleet(3, 12, MONDAY_S), days=1) if act.event.agent_id.endswith("-01")
    ]
    assert lines(bigger) == alone


def test_office_roles_rest_at_night_and_on_weekends_and_others_do_not() -> None:
    found = acts(Fleet(5, len(ROLES), MONDAY_S), days=7)
    hours = Counter((act.event.role, act.event.time.hour) for act in found)
    weekend = Counter(act.event.role for act in found if act.event.time.weekday() >= 5)
    total = Counter(act.event.role for act in found)
    assert hours["payroll", 3] * 10 < hours["payroll", 10]
    assert weekend["payroll"] * 10 < total["payroll"]
    assert hours["research", 3] * 2 > hours["research", 10]
    assert weekend["research"] * 5 > total["research"]


def test_a_time_zone_moves_the_working_day() -> None:
    found = acts(Fleet(5, 1, MONDAY_S, time_zone_s=10 * 3600), days=1)
    busiest, _ = Counter(act.event.time.hour for act in found).most_common(1)[0]
    assert busiest in {22, 23, 0, 1, 2, 3, 4, 5, 6}


def test_tempo_multiplies_the_runs() -> None:
    usual = len(acts(Fleet(5, 6, MONDAY_S), days=1))
    busy = len(acts(Fleet(5, 6, MONDAY_S, tempo=5), days=1))
    assert 3.5 * usual < busy < 6 * usual


def test_a_role_is_mostly_well_and_fails_now_and_then() -> None:
    status = Counter(act.event.status for act in acts(Fleet(5, 6, MONDAY_S), days=2))
    assert set(status) == {"ok", "error"}
    assert 0.005 < status["error"] / status.total() < 0.1


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_incident_shows_only_in_the_label_beside_the_event(kind: str) -> None:
    found = acts(Fleet(2, 6, MONDAY_S, [Incident(kind, MONDAY_S + DAY_S / 2)]), days=1)
    labels = {act.incident for act in found}
    assert labels == {None, f"{kind}-1"}
    for act, line in zip(found, lines(found), strict=True):
        if act.incident is not None:
            assert kind not in line
            assert act.event.attributes is None


def incident_events(kind: str, agent_id: str | None = None, days: float = 1) -> list[ActionEvent]:
    fleet = Fleet(2, 6, MONDAY_S, [Incident(kind, MONDAY_S + 3 * 3600, agent_id)])
    return [act.event for act in acts(fleet, days) if act.incident is not None]


def test_a_hijack_mails_to_a_mailbox_that_a_page_brought_and_changes_bank_accounts() -> None:
    events = incident_events("hijack")
    assert {event.role for event in events} == {"payroll"}
    mails = [event for event in events if event.tool == "send_email"]
    assert len({mail.target for mail in mails}) == 1
    assert {(m.target_origin, m.target_source) for m in mails} == {("tool", "fetch_page")}
    assert any(event.tool == "update_bank_account" for event in events)
    assert len({event.trace_id for event in events}) == 1


def test_an_exfiltration_sends_many_times_the_usual_bytes() -> None:
    fleet = Fleet(2, 6, MONDAY_S, [Incident("exfiltration", MONDAY_S + 9 * 3600, "support-01")])
    sizes: dict[bool, list[int]] = {True: [], False: []}
    for act in acts(fleet, 1):
        if act.event.agent_id == "support-01" and act.event.tool == "send_email":
            sizes[act.incident is None].append(act.event.bytes_out or 0)
    assert min(sizes[False]) > 5 * max(sizes[True])


def test_a_runaway_loop_repeats_one_identical_call() -> None:
    events = incident_events("runaway_loop")
    assert len(events) == 400
    calls = {(e.tool, e.target, e.bytes_out, e.bytes_in, e.status, e.trace_id) for e in events}
    assert len(calls) == 1


def test_scope_creep_takes_up_more_of_another_roles_tools_each_day() -> None:
    events = incident_events("scope_creep", "coding-01", days=11)
    tools: dict[int, set[str | None]] = {}
    for event in events:
        tools.setdefault(event.time.day, set()).add(event.tool)
    first, *_, last = [tools[day] for day in sorted(tools)]
    assert len(first) < len(last)
    own = {step.tool for step in next(r for r in ROLES if r.name == "coding").steps()}
    assert not last & own


def test_a_stolen_credential_logs_in_reads_secrets_and_asks_for_more() -> None:
    events = incident_events("stolen_credential")
    assert events[0].action == "login"
    assert {"read_secret", "list_secrets"} <= {event.tool for event in events}
    assert any(event.action == "grant_request" for event in events)


def test_an_agent_holds_grants_for_its_work_and_for_its_incident() -> None:
    fleet = Fleet(2, 12, MONDAY_S, [Incident("stolen_credential", MONDAY_S, "devops-02")])
    scopes = fleet.scopes()
    assert "read_secret" in scopes["devops-02"]
    assert "read_secret" not in scopes["devops-01"]
    for act in acts(fleet, 1):
        assert (act.event.tool or act.event.action) in scopes[act.event.agent_id]


def test_an_unknown_kind_or_agent_is_named() -> None:
    with pytest.raises(UsageError, match=r"'coup'.*hijack"):
        Fleet(1, 3, MONDAY_S, [Incident("coup", MONDAY_S)])
    with pytest.raises(UsageError, match=r"no agent 'nobody'.*payroll-01"):
        Fleet(1, 3, MONDAY_S, [Incident("hijack", MONDAY_S, "nobody")])
