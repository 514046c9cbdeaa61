import json

from baselines.places import Places
from baselines.target import chain
from baselines.vocabulary import FREQUENT


def learn(places: Places, text: str, runs: int = 1) -> Places:
    for _ in range(runs):
        for terms, term in zip(places.grains, chain(text), strict=True):
            terms.learn(term)
    return places


def test_it_says_at_which_grain_a_target_is_new() -> None:
    places = Places()
    assert places.grain(chain("ann@corp.example")) == 0
    learn(places, "ann@corp.example")
    texts = ("/srv/x", "eve@mallory.example", "bob@corp.example", "ann@corp.example")
    assert [places.grain(chain(text)) for text in texts] == [0, 1, 2, None]


def test_only_a_target_itself_becomes_frequent() -> None:
    places = Places()
    for number in range(FREQUENT):
        learn(places, f"user-{number}@corp.example")
    assert not places.is_frequent("user-0@corp.example")
    assert places.is_frequent("ann@corp.example") is False
    learn(places, "user-0@corp.example", FREQUENT)
    assert places.is_frequent("user-0@corp.example")
    assert set(places.texts.known) == {f"user-{number}@corp.example" for number in range(FREQUENT)}


def test_dump_and_load_are_exact() -> None:
    places = learn(learn(Places(), "/srv/x", 3), "ann@corp.example")
    again = Places.load(json.loads(json.dumps(places.dump())))
    assert again.dump() == places.dump()
    assert again.grain(chain("/srv/y")) == places.grain(chain("/srv/y")) == 2
