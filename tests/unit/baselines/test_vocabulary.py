import json
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.term import size
from baselines.vocabulary import (
    FREQUENT,
    MAX_HELD,
    MAX_SIZE,
    MAX_TERMS,
    YOUNG,
    Patience,
    Vocabulary,
)

DAY_S = 86_400.0
FOUR_A_DAY = Patience(4, DAY_S)


def hold(terms: Vocabulary, run: str, time_s: float, patience: Patience = FOUR_A_DAY) -> bool:
    """Use one term in an alarmed run; whether it still waits."""
    if terms.must_wait("x", odd=True):
        terms.hold("x", run, time_s, patience, alarmed=True)
    return "x" in terms.held and "x" not in terms.known


def test_a_new_term_is_the_less_likely_the_longer_none_came() -> None:
    terms, rates = Vocabulary(), []
    for _ in range(300):
        terms.learn("a")
        rates.append(terms.p_value("new"))
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] > 0


def test_an_explorer_is_expected_to_explore() -> None:
    explorer, steady = Vocabulary(), Vocabulary()
    for number in range(400):
        explorer.learn(f"page-{number}" if number % 4 == 0 else "page-0")
        steady.learn("page-0")
    assert 0.15 < explorer.p_value("new") < 0.35, "one in four was new"
    assert steady.p_value("new") < explorer.p_value("new") / 10


@given(st.lists(st.sampled_from("abcdefgh"), max_size=200))
def test_the_rarer_a_term_the_odder_and_the_frequent_is_not(words: list[str]) -> None:
    terms = Vocabulary()
    for word in words:
        terms.learn(word)
    by_runs = sorted((terms.known.get(term, 0), terms.p_value(term)) for term in "abcdefghi")
    p_values = [p_value for _, p_value in by_runs]
    assert p_values == sorted(p_values)
    assert all(0 < p_value <= 1 for p_value in p_values)
    assert all(p_value == 1 for runs, p_value in by_runs if runs >= FREQUENT)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from([1, 9, 70_000]), st.booleans())),
    st.sampled_from("aé"),
)
def test_it_knows_how_much_room_it_takes_and_takes_no_more_than_it_may(
    uses: list[tuple[int, int, bool]], letter: str
) -> None:
    terms = Vocabulary()
    for number, (name, chars, odd) in enumerate(uses):
        term = f"{name}{letter * chars}"
        if terms.must_wait(term, odd):
            terms.hold(term, f"run {number}", DAY_S * number, FOUR_A_DAY, alarmed=odd)
        else:
            terms.learn(term)
            others = terms.size - sum(map(size, terms.held))
            assert others <= MAX_SIZE or len(terms.known) == 1
        assert terms.size == sum(map(size, (*terms.known, *terms.held)))
        assert Vocabulary.load(terms.dump()).size == terms.size


def test_promotion_needs_both_runs_and_time() -> None:
    quick, slow, steady = Vocabulary(), Vocabulary(), Vocabulary()
    for number in range(50):
        assert hold(quick, f"run-{number}", number * 60.0), "invented runs within the hour"
        assert hold(slow, "the same run", number * DAY_S)
    assert [hold(steady, f"run-{n}", n * DAY_S / 3) for n in range(4)] == [True, True, True, False]
    assert "x" in steady.known
    assert not steady.held


def test_two_runs_taking_turns_are_two() -> None:
    terms = Vocabulary()
    assert all(hold(terms, "ab"[number % 2], number * DAY_S) for number in range(20))
    assert hold(terms, "c", 21 * DAY_S)
    assert not hold(terms, "d", 22 * DAY_S)


def test_a_burst_at_either_end_of_the_time_is_one_run() -> None:
    terms = Vocabulary()
    times = [*range(0, 100, 10), *(DAY_S + second for second in range(0, 100, 10))]
    assert all(hold(terms, f"run-{time_s}", time_s) for time_s in times)


def test_time_that_goes_back_does_not_count() -> None:
    terms = Vocabulary()
    assert all(hold(terms, f"run-{number}", -number * DAY_S) for number in range(20))


def test_an_odd_run_does_not_hold_what_is_well_known() -> None:
    terms = Vocabulary()
    for _ in range(YOUNG):
        assert terms.must_wait("x", odd=True)
        assert not terms.must_wait("x", odd=False)
        terms.learn("x")
    assert not terms.must_wait("x", odd=True)


def test_what_was_alarmed_on_waits_in_ordinary_runs_too() -> None:
    alarmed, odd = Vocabulary(), Vocabulary()
    alarmed.hold("x", "a", 0.0, FOUR_A_DAY, alarmed=True)
    odd.hold("x", "a", 0.0, FOUR_A_DAY, alarmed=False)
    assert alarmed.must_wait("x", odd=False)
    assert not odd.must_wait("x", odd=False)
    odd.learn("x")
    assert not odd.held


words = st.lists(st.tuples(st.sampled_from("abcdefghij"), st.integers(0, 40)), max_size=600)


@given(words)
def test_it_is_bounded_whatever_comes(some: list[tuple[str, int]]) -> None:
    terms = Vocabulary()
    for number, (word, kind) in enumerate(some * 4):
        terms.learn(f"{word}{number}")
        terms.hold(f"{word}{number % 400}", f"run-{number}", number * 60.0 * kind,
                   Patience(1 + kind, 60.0 * kind), alarmed=bool(kind))  # fmt: skip
    assert len(terms.known) <= MAX_TERMS
    assert len(terms.held) <= MAX_HELD
    assert all(0 < terms.p_value(term) <= 1 for term in (*terms.known, "new"))


def test_the_term_used_least_gives_way() -> None:
    terms = Vocabulary()
    for _ in range(3):
        terms.learn("often")
    for number in range(MAX_TERMS + 10):
        terms.learn(f"once-{number}")
    assert "often" in terms.known
    assert "once-0" not in terms.known


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 999), st.integers(1, 2 * FREQUENT))
def test_of_terms_used_as_little_the_oldest_gives_way(seed: int, most: int) -> None:
    terms, plain, chance = Vocabulary(), dict[str, int](), Random(seed)
    for number in range(MAX_TERMS + 40):
        term = f"term-{number}" if chance.random() < 0.9 else f"term-{chance.randrange(600)}"
        for _ in range(chance.randint(most // 2 + 1, most)):
            if term not in plain and len(plain) == MAX_TERMS:
                del plain[min(plain, key=plain.__getitem__)]
            plain[term] = plain.get(term, 0) + 1
            terms.learn(term)
    assert list(terms.known.items()) == list(plain.items())


uses = st.tuples(
    st.sampled_from("abcdef"), st.sampled_from(["learn", "odd", "alarmed"]), st.integers(1, 90)
)


@given(st.lists(uses, max_size=150), st.lists(uses, max_size=50))
def test_dump_and_load_go_on_exactly_alike(
    before: list[tuple[str, str, int]], after: list[tuple[str, str, int]]
) -> None:
    def play(terms: Vocabulary, some: list[tuple[str, str, int]]) -> None:
        at_s = 0.0
        for number, (term, how, wait) in enumerate(some):
            at_s += wait * 600.0
            if how == "learn":
                terms.learn(term)
            else:
                terms.hold(term, f"run-{number % 7}", at_s, Patience(3, DAY_S / 4),
                           alarmed=how == "alarmed")  # fmt: skip

    terms = Vocabulary()
    play(terms, before)
    again = Vocabulary.load(json.loads(json.dumps(terms.dump())))
    play(terms, after)
    play(again, after)
    assert again.dump() == terms.dump()
    assert [again.p_value(term) for term in "abcdefg"] == [terms.p_value(t) for t in "abcdefg"]


def test_a_full_one_read_back_forgets_the_same_terms() -> None:
    terms = Vocabulary()
    for number in range(MAX_TERMS):
        for _ in range(1 + number % 15):
            terms.learn(f"term-{number}")
    again = Vocabulary.load(json.loads(json.dumps(terms.dump())))
    for one in (terms, again):
        for number in range(100):
            one.learn(f"new-{number}")
    assert again.dump() == terms.dump()
    assert [again.p_value(t) for t in terms.known] == [terms.p_value(t) for t in terms.known]
