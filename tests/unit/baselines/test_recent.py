"""Repeats are recognised among the last events of an agent, and only among those."""

from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from baselines.recent import REMEMBERED_EVENTS, Recent

acts = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 1)), max_size=200)


@given(acts, st.integers(0, 200))
def test_it_remembers_as_a_table_of_the_last_ids_does(
    some: list[tuple[int, int]], cut: int
) -> None:
    recent, table = Recent(), dict[int, int]()
    for place, (number, content) in enumerate(some):
        if place == cut:
            recent = Recent.load([list(pair) for pair in recent.dump()])
        known = table.get(number)
        if known is None and len(table) == REMEMBERED_EVENTS:
            del table[next(iter(table))]
        table[number] = content
        expected = "new" if known is None else "repeat" if known == content else "changed"
        assert recent.take(f"event-{number}", bytes([content])) == expected


def test_a_checksum_that_two_others_form_together_is_none() -> None:
    key = crc32(b"event").to_bytes(4, "big")
    halves = int.from_bytes(b"\0\0" + key[:2], "big"), int.from_bytes(key[2:] + b"\0\0", "big")
    recent = Recent.load([(half, 0) for half in halves])
    assert recent.take("event", b"") == "new"
    assert recent.take("event", b"") == "repeat"
    assert [id_ for id_, _ in recent.dump()] == [*halves, crc32(b"event")]
