from functools import cache
from typing import Any

import pytest

from baselines.cohort import Cohort
from baselines.habits import Rarity
from baselines.rules import Rules
from baselines.runs import Step
from baselines.tail import FITTED, SKIPPED
from detectors.budget import Budget
from detectors.finding import Anomaly, Finding, Severity
from detectors.shard import Policy, Shard
from detectors.surprise import parts
from tests.kit.clerk import DAY_S, Act, Clerk, act, day_work, send
from tests.kit.events import event, raw_event

MALLORY = "drop@mallory.example"
KNOWN_RUNS = 2 * (SKIPPED + FITTED)
FIRST = day_work(0)[:2]
"""How its runs begin; what comes next is judged."""


@cache
def known() -> Clerk:
    """A clerk that is calibrated; take its `twin`."""
    return Clerk().work(KNOWN_RUNS)


def test_what_the_user_named_is_never_odd() -> None:
    assert known().score(*FIRST, send(MALLORY, "user")) == 0
    assert known().score(*FIRST, act("wire_money", "ACCOUNT-9", "user")) == 0
    assert known().twin().run(*FIRST, send(MALLORY, "user")) == []


def test_a_mailbox_is_the_odder_the_less_a_person_had_to_do_with_it() -> None:
    score = known().score
    from_page = score(*FIRST, send(MALLORY, "read_page"))
    unreported = score(*FIRST, send(MALLORY))
    from_mail = score(*FIRST, send(MALLORY, "read_mail"))
    from_model = score(*FIRST, send(MALLORY, "model"))
    known_one = score(*FIRST, send("ann@corp.example", "read_mail"))
    assert from_page > from_model > 0
    assert unreported > from_model
    assert from_page > from_mail, "mails bring mailboxes in every other run, pages never did"
    assert from_mail > known_one


def test_the_same_is_odder_the_more_it_can_do() -> None:
    one = Clerk()
    tools = ("read_note", "put_note", "send_note", "delete_note")
    for number in range(KNOWN_RUNS):
        one.run(*(act(tool, f"note-{number % 3}", "list_notes") for tool in tools))
    read, write, external, destructive = (
        one.score(act(tool, "elsewhere", "list_notes")) for tool in tools
    )
    assert 0 < read < write < external == pytest.approx(destructive)


def test_a_new_target_is_dull_where_new_ones_come_all_day() -> None:
    explorer = Clerk()
    for number in range(KNOWN_RUNS):
        explorer.run(*day_work(number)[:2], send(f"{number}@shop-{number}.example", "read_page"))
    new = (*FIRST, send(MALLORY, "read_page"))
    assert explorer.score(*new) < known().score(*new) / 3
    assert explorer.twin().run(*new) == []
    assert known().twin().run(*new) != []


def test_each_part_of_a_step_adds_to_its_surprise() -> None:
    step = Step("send", "x", "tool", "browse", "boss", "ada", "external")
    usual = sum(parts(step, Rarity()).values())
    assert usual == 0
    for part in ("target", "novelty", "flow", "context", "parent", "user"):
        some: list[dict[str, Any]] = [{part: 0.1}, {part: 0.01}]
        rare, rarer = (sum(parts(step, Rarity(**one)).values()) for one in some)
        assert usual < rare < rarer, part


def test_a_known_group_makes_a_new_target_less_odd() -> None:
    colleague, stranger = (
        known().score(*FIRST, send(mailbox, "read_mail"))
        for mailbox in ("dan@corp.example", "dan@mallory.example")
    )
    assert colleague < stranger


def test_a_tool_out_of_place_is_odder_than_one_that_belongs() -> None:
    one = Clerk()
    for number in range(KNOWN_RUNS):
        tools = ("list_bills", "pay_bills") if number % 2 else ("search_logs", "restart_host")
        one.run(*map(act, tools))
    out_of_place = one.score(act("search_logs"), act("pay_bills"))
    assert out_of_place > one.score(act("list_bills"), act("pay_bills"))
    assert one.score(act("list_bills"), act("pay_bills"), act("list_bills"), act("oops")) > 0


def test_delegation_by_a_stranger_is_odd_for_who_has_one_parent() -> None:
    one = Clerk().work(KNOWN_RUNS, parent_agent_id="boss-1")
    usual, strange = (one.score(*FIRST, parent_agent_id=p) for p in ("boss-1", "mallory-7"))
    assert strange > usual
    found, *_ = one.twin().run(*FIRST, parent_agent_id="mallory-7")
    assert found.detector == "delegation"
    assert "“mallory-7”" in found.text
    assert any("boss-1" in line for line in found.evidence)
    shared = Clerk()
    for number in range(KNOWN_RUNS):
        shared.run(*day_work(number), parent_agent_id=f"boss-{number}")
    assert shared.score(*FIRST, parent_agent_id="mallory-7") < strange / 3


def test_a_new_user_is_odd_for_who_serves_one() -> None:
    one = Clerk().work(KNOWN_RUNS, user_id="ada")
    assert one.score(*FIRST, user_id="mallory") > one.score(*FIRST, user_id="ada")


def test_a_finding_says_what_was_seen_and_what_is_usual() -> None:
    (found,) = known().twin().run(*FIRST, send(MALLORY, "read_page"))
    assert found.detector in ("new_target", "flow")
    assert (found.calibration, found.severity) == ("calibrated", Severity.HIGH)
    assert found.p_value is not None
    assert 0 < found.p_value < 0.01
    assert found.observed >= found.threshold > found.expected
    told = "\n".join(found.evidence)
    assert "corp.example" in told, "what is usual"
    assert "“mallory.example”" in told
    assert "“read_page”" in told, "where it came from"
    assert len(found.history) > 5
    assert found.history[-1] == found.observed
    assert max(found.history[:-1]) < found.observed
    assert MALLORY in found.text


@pytest.mark.parametrize("acts", [(act("wire_money"),), (act("wire_money", "X-1", "read_page"),)])
def test_a_tool_never_used_is_told_as_such(acts: tuple[Act, ...]) -> None:
    (found,) = known().twin().run(*FIRST, *acts)
    assert found.detector == "new_tool"
    assert "never used" in found.text


def test_what_is_confidential_is_worse() -> None:
    hijack = send(MALLORY, "read_page")
    (plain,), (worse,) = (
        known().twin().run(*FIRST, hijack | {"data_class": label})
        for label in ("internal", "confidential")
    )
    assert worse.severity > plain.severity


def test_a_step_is_judged_once_a_run_and_again_in_the_next() -> None:
    one = known().twin()
    hijack = (*FIRST, send(MALLORY, "read_page"))
    assert len(one.run(*hijack, hijack[-1], hijack[-1])) == 1
    assert len(one.run(*hijack)) == 1, "an alarm teaches nothing"


def test_what_reads_first_is_told_again_when_it_sends() -> None:
    shard, hijack = Shard("log", 0, Policy.of(Budget(50.0))), act("http", MALLORY, "read_page")
    shard.admit([known().twin().profile])
    at_s, found, effects = known().now_s + DAY_S, list[Anomaly](), ["read", "external"]
    for number, what in enumerate([*FIRST, *(hijack | {"effect": e} for e in effects)]):
        fields = what | {"agent_id": "clerk-1", "trace_id": "hijacked"}
        line = raw_event(number, at_s + number, **fields)
        found += shard.feed(event(number, at_s + number, **fields), line, number)
    assert [anomaly.effect for anomaly in found] == effects


def test_many_odd_steps_do_not_add_up() -> None:
    odd = [act("read_page", f"https://site-{n}.example/", "read_page") for n in range(20)]
    assert known().score(*FIRST, *odd) < known().score(*FIRST, odd[0])


def hijacks(one: Clerk, runs: int, apart_s: float, names: str = "abcdefghij") -> list[Finding]:
    """So many of them, and what was found in a last one."""
    for number in range(runs):
        one.run(send(MALLORY, "read_page"), after_s=apart_s, name=names[number % len(names)])
    return one.run(send(MALLORY, "read_page"), after_s=apart_s, name="last")


def waiting(one: Clerk) -> bool:
    texts = one.profile.work.habits.targets["send_email"].texts
    return MALLORY in texts.held and MALLORY not in texts.known


def test_terms_of_an_odd_run_wait_until_runs_over_time_used_them() -> None:
    rules = Rules(promote_runs=4, promote_after_s=DAY_S, strict_runs=4, strict_after_s=DAY_S)
    steady = Clerk(rules).work(KNOWN_RUNS)
    hijacks(steady, 3, DAY_S / 3)
    assert waiting(steady.pause()) is False, "the fourth was over"
    one = Clerk(rules).work(KNOWN_RUNS)
    assert hijacks(one, 2, DAY_S / 3)
    assert waiting(one.pause())


def test_what_was_told_is_a_repeat_until_it_is_known() -> None:
    one = known().twin()
    found = [*hijacks(one, 0, DAY_S), *hijacks(one, 0, DAY_S)]
    assert [finding.repeat for finding in found] == [False, True]
    (other,) = one.run(*FIRST, send("other@mallory.example", "read_page"))
    assert not other.repeat, "another target is another story"


def test_invented_trace_ids_in_an_hour_do_not_count() -> None:
    few, many = known().twin(), known().twin()
    for one, invented in ((few, 10), (many, 120)):
        for number in range(invented):
            one.run(send(MALLORY, "read_page"), after_s=30, name=f"invented-{number}")
        assert waiting(one.pause())
    assert few.run(send(MALLORY, "read_page"), after_s=2 * DAY_S, name="strike")


def test_two_names_taking_turns_are_two_runs() -> None:
    one = known().twin()
    assert hijacks(one, 20, DAY_S / 2, names="ab")
    assert waiting(one.pause())


def test_what_results_bring_out_of_the_house_waits_longest() -> None:
    rules = Rules(promote_runs=2, promote_after_s=DAY_S, strict_runs=9, strict_after_s=20 * DAY_S)
    one = Clerk(rules).work(KNOWN_RUNS)
    for number in range(5):
        for what in (send(MALLORY, "read_page"), act("read_page", MALLORY, "read_page")):
            one.run(what, after_s=DAY_S, name=f"{number}-{what['tool']}")
    assert waiting(one.pause())
    assert MALLORY in one.profile.targets["read_page"].known


def test_a_new_version_relaxes_what_does_no_harm() -> None:
    one = known().twin().work(5, agent_version="1")
    new_page = (*FIRST, act("read_page", "https://new.example/", "read_page"))
    mail = (*FIRST, send(MALLORY, "read_page"))
    before = one.score(*new_page, agent_version="1"), one.score(*mail, agent_version="1")
    one.run(*FIRST, agent_version="2")
    after = one.score(*new_page, agent_version="2"), one.score(*mail, agent_version="2")
    assert after[0] < before[0]
    assert after[1] == pytest.approx(before[1], rel=0.05)
    assert one.twin().run(*mail, agent_version="2"), "the door is shut"
    told = "\n".join(one.twin().run(*mail, agent_version="2")[0].evidence)
    assert "version" in told


def test_flipping_versions_relaxes_once_a_day() -> None:
    one = known().twin().work(1, agent_version="0")
    new_page = (*FIRST, act("read_page", "https://new.example/", "read_page"))
    scores = []
    for number in range(1, int(DAY_S / 2000)):
        one.run(*FIRST, after_s=2000, agent_version=str(number))
        scores.append(one.score(*new_page))
    assert scores[-1] > 1.5 * scores[0], "its runs are used up, and no flip gives it more"


def test_who_has_no_peers_raises_nothing_until_calibrated() -> None:
    one = Clerk()
    found: list[Finding] = []
    while not one.profile.work.tail.calibrated:
        found += one.run(*day_work(one.runs)[:2], send(f"{one.runs}@mallory.example", "read_page"))
    assert found == []


def test_a_new_agent_is_held_to_what_its_peers_did_when_new() -> None:
    cohort = Cohort()
    for _ in range(3):
        Clerk(cohort=cohort).work(SKIPPED + FITTED - 1)
    new = Clerk(cohort=cohort).work(15)
    (found,) = new.run(*FIRST, send(MALLORY, "read_page"))
    assert found.calibration == "uncalibrated"
    assert found.p_value is not None
    assert Clerk(cohort=Cohort()).work(15).run(*FIRST, send(MALLORY, "read_page")) == []


def test_peers_make_their_common_ways_less_odd() -> None:
    cohort = Cohort()
    Clerk(cohort=cohort).work(KNOWN_RUNS)
    alone, among_peers = Clerk().work(10), Clerk(cohort=cohort)
    among_peers.work(10)
    step = (act("read_mail", "MAIL-1", "user"), act("read_page", "https://wiki.corp.example/new"))
    assert among_peers.score(*step) < alone.score(*step)


def test_hostile_names_are_judged_and_said() -> None:
    for text in ("\x1b[31m*@here*", "‮" * 900, "", " ", "<!channel>", "\\", "://", "a@"):
        for origin in ("read_page", "model", None):
            what = act("wire\n_money", text, origin, user_id=text, parent_agent_id=text)
            for found in known().twin().run(*FIRST, what):
                assert found.text
                assert all(len(line) < 2000 for line in found.evidence)
