import json

from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.habits import MAX_SIZE, MAX_TOOLS, Habits, Rarity
from baselines.runs import Run, Step
from baselines.vocabulary import Patience

PATIENCE = Patience(4, 86_400.0)


def step(tool: str, target: str | None = None, source: str | None = None) -> Step:
    return Step(tool, target, "tool" if source else None, source, "boss", "ada", "write")


def run(number: int, *steps: Step, alarmed: bool = False) -> Run:
    one = Run(f"run-{number}", number * 3600.0)
    one.alarmed = alarmed
    for some in steps:
        one.take(some, 0.0)
    return one


def learn(habits: Habits, *steps: Step, runs: int = 1, odd: bool = False) -> Habits:
    for number in range(runs):
        habits.learn(run(number, *steps, alarmed=odd), odd, lambda _: PATIENCE)
    return habits


def rarity(habits: Habits, last: Step, *before: Step) -> Rarity:
    return habits.rarity(last, run(9999, *before), None)


def test_where_all_takes_too_much_room_what_is_frequent_stays() -> None:
    habits, usual = Habits(), [step(f"usual-{tool}", f"ID-{tool}") for tool in range(10)]
    for number in range(12):
        learn(habits, *usual, step("read", f"/{'x' * 480}/{number % 2}"))
    for number in range(10_000):
        learn(habits, step(f"read-{number % 20}", f"/{'y' * 480}/{number}"))
    places = list(habits.targets.values())
    assert MAX_SIZE / 2 < sum(each.size for each in places) <= MAX_SIZE
    assert len(places) == 31, "new tools come, too"
    for known in (*usual, step("read", f"/{'x' * 480}/1")):
        assert habits.knows(known)


USUAL = (step("read", "MAIL-1"), step("send", "ann@corp.example", "read"))


def test_what_is_frequent_is_not_rare() -> None:
    habits = learn(Habits(), *USUAL, runs=100)
    found = rarity(habits, USUAL[1], USUAL[0])
    assert (found.target, found.grain, found.novelty, found.flow) == (1, None, 1, 1)
    assert (found.parent, found.user) == (1, 1)
    assert found.context > 0.9


def test_each_part_of_a_step_is_rare_by_itself() -> None:
    habits = learn(Habits(), *USUAL, runs=100)
    target = rarity(habits, step("send", "eve@mallory.example", "read"), USUAL[0])
    source = rarity(habits, step("send", "ann@corp.example", "browse"), USUAL[0])
    who = rarity(habits, USUAL[1]._replace(parent="eve", user="eve"), USUAL[0])
    assert target.target < 0.1
    assert target.grain == 1, "another mailbox would be no new kind"
    assert target.flow == 1
    assert source.flow < 0.1
    assert source.target == 1
    assert who.parent < 0.1 > who.user
    assert who.target == 1


def test_a_term_counts_once_a_run() -> None:
    habits = learn(Habits(), step("send", "a", "x"), step("send", "a", "y"), runs=5)
    assert habits.tools.known == {"send": 5}
    assert habits.targets["send"].texts.known == {"a": 5}
    assert sorted(habits.flows["send"].known.values()) == [5, 5]


def test_one_tools_targets_do_not_excuse_anothers_but_soften_them() -> None:
    habits = learn(Habits(), *USUAL, runs=100)
    elsewhere = rarity(habits, step("send", "MAIL-1", "read"), USUAL[0])
    nowhere = rarity(habits, step("send", "BILL-1-x", "read"), USUAL[0])
    assert nowhere.target < elsewhere.target < 0.2


def test_an_odd_run_teaches_only_what_was_known_before() -> None:
    habits = learn(Habits(), *USUAL, runs=20)
    learn(habits, USUAL[0], step("wire", "eve@mallory.example", "read"), odd=True)
    assert "wire" not in habits.tools.known
    assert "wire" in habits.tools.held
    assert habits.tools.known["read"] == 21
    assert not habits.targets["wire"].texts.known
    assert "eve@mallory.example" in habits.targets["wire"].texts.held
    assert "eve@mallory.example" not in habits.anywhere.texts.known


def test_more_tools_than_it_keeps_do_not_confuse_it() -> None:
    usual = learn(Habits(), *USUAL, runs=20)
    steps = [step(f"tool-{number}", f"X-{number}", "read") for number in range(2 * MAX_TOOLS)]
    habits = learn(usual, *steps)
    assert len(habits.targets) <= MAX_TOOLS
    assert set(habits.targets) == set(habits.flows)
    assert "send" in habits.targets
    for tool, places in habits.targets.items():
        assert places.texts.known, f"{tool} was learned with its target"


texts = st.sampled_from(["a@b.example", "c@d.example", "/srv/x", "ID-1", "ID-2", None])
steps = st.builds(
    Step,
    tool=st.sampled_from("pqrs"),
    target=texts,
    origin=st.sampled_from([None, "user", "tool", "model"]),
    source=st.sampled_from([None, "p", "q"]),
    parent=st.sampled_from([None, "boss", "eve"]),
    user=st.sampled_from([None, "ada", "eve"]),
    effect=st.sampled_from(["read", "write", "external", "destructive", "unknown"]),
)
runs = st.lists(st.tuples(st.lists(steps, max_size=5), st.booleans()), max_size=25)


def play(habits: Habits, some: list[tuple[list[Step], bool]], first: int) -> None:
    for number, (of_run, odd) in enumerate(some, start=first):
        habits.learn(run(number, *of_run, alarmed=odd), odd, lambda _: PATIENCE)


@settings(max_examples=60)
@given(runs, runs, st.lists(steps, min_size=1, max_size=4))
def test_dump_and_load_go_on_exactly_alike_and_all_are_p_values(
    before: list[tuple[list[Step], bool]],
    after: list[tuple[list[Step], bool]],
    asked: list[Step],
) -> None:
    habits = Habits()
    play(habits, before, 0)
    again = Habits.load(json.loads(json.dumps(habits.dump())))
    for one in (habits, again):
        play(one, after, 1000)
    assert again.dump() == habits.dump()
    for some in asked:
        found = rarity(habits, some, *asked[:-1])
        assert found == rarity(again, some, *asked[:-1])
        parts = found._replace(grain=None)
        assert all(0 < part <= 1 for part in parts if part is not None)
