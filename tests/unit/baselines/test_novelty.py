import json
from math import isfinite, log

from hypothesis import given
from hypothesis import strategies as st

from baselines.novelty import GRAINS, Novelty

grains = st.sampled_from([None, *range(GRAINS)])


def taken(*steps: int | None) -> Novelty:
    novelty = Novelty()
    for grain in steps:
        novelty.take(grain)
    return novelty


def test_the_more_often_something_is_new_the_larger_the_share() -> None:
    shares = [taken(*([None] * 9 + [2] * new) * 30).share(2) for new in range(5)]
    assert shares == sorted(shares)
    assert shares[0] < 0.02 < shares[-1]


def test_a_share_is_of_its_own_grain() -> None:
    novelty = taken(*[None, 2] * 200)
    assert novelty.share(2) > 10 * novelty.share(0) == 10 * novelty.share(1)


def test_what_is_long_ago_fades() -> None:
    early, late = taken(*[1] * 100, *[None] * 900), taken(*[None] * 900, *[1] * 100)
    assert early.share(1) < late.share(1) / 5


def test_after_ever_so_long_without_a_new_thing_one_is_not_impossible() -> None:
    novelty = taken(*[None] * 500_000)
    assert isfinite(log(novelty.share(0)))


@given(st.lists(grains, max_size=80), st.lists(grains, max_size=20))
def test_shares_are_probabilities_and_dump_and_load_exact(
    before: list[int | None], after: list[int | None]
) -> None:
    novelty = taken(*before)
    again = Novelty.load(json.loads(json.dumps(novelty.dump())))
    for one in (novelty, again):
        for grain in after:
            one.take(grain)
    assert again.dump() == novelty.dump()
    shares = [novelty.share(grain) for grain in range(GRAINS)]
    assert shares == [again.share(grain) for grain in range(GRAINS)]
    assert all(0 < share <= 1 for share in shares)
