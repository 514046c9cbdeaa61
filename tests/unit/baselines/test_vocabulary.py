import json

from hypothesis import given
from hypothesis import strategies as st

from baselines.vocabulary import MAX_HELD, MAX_TERMS, Vocabulary

DAY_S = 86_400.0


def test_a_new_term_is_the_less_likely_the_longer_none_came() -> None:
    terms = Vocabulary()
    assert terms.surprise() == 1.0
    surprises = []
    for _ in range(300):
        terms.use("a")
        surprises.append(terms.surprise())
    assert surprises == sorted(surprises, reverse=True)
    assert terms.surprise() >= 1 / (300 + 2), "never less than the rule of succession says"


def test_an_explorer_is_expected_to_explore() -> None:
    terms = Vocabulary()
    for number in range(500):
        terms.use(f"page-{number}" if number % 4 == 0 else "page-0")
    assert 0.15 < terms.surprise() < 0.35


def test_promotion_needs_both_runs_and_time() -> None:
    quick, slow, steady = Vocabulary(), Vocabulary(), Vocabulary()
    for number in range(50):
        quick.hold("x", f"run-{number}", number * 60.0, 4, DAY_S)
        slow.hold("x", "the same run", number * DAY_S, 4, DAY_S)
    assert "x" in quick.held
    assert "x" in slow.held
    for number in range(4):
        assert "x" not in steady.known
        steady.hold("x", f"run-{number}", number * DAY_S / 3, 4, DAY_S)
    assert "x" in steady.known
    assert not steady.held


@given(st.lists(st.text(max_size=3), max_size=2000))
def test_it_is_bounded_whatever_comes(words: list[str]) -> None:
    terms = Vocabulary()
    for number, word in enumerate(words):
        terms.use(word + str(number))
        terms.hold(word + str(number), "run", float(number), 4, DAY_S)
    assert len(terms.known) <= MAX_TERMS
    assert len(terms.held) <= MAX_HELD


def test_the_term_used_least_gives_way() -> None:
    terms = Vocabulary()
    for _ in range(3):
        terms.use("often")
    for number in range(MAX_TERMS + 10):
        terms.use(f"once-{number}")
    assert "often" in terms.known


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans()), max_size=100))
def test_dump_and_load_go_on_exactly_alike(uses: list[tuple[str, bool]]) -> None:
    terms = Vocabulary()
    for number, (term, held) in enumerate(uses):
        if held:
            terms.hold(term, f"run-{number}", number * 3600.0, 3, DAY_S)
        else:
            terms.use(term)
    again = Vocabulary.load(json.loads(json.dumps(terms.dump())))
    for one in (terms, again):
        one.use("z")
    assert again.dump() == terms.dump()
    assert again.surprise() == terms.surprise()
