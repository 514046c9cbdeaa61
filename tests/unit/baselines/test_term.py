from hypothesis import given
from hypothesis import strategies as st

from baselines.term import MAX_NAME_CHARS, cut, size


@given(st.text(max_size=300), st.text(max_size=300))
def test_texts_that_differ_do_so_when_cut(one: str, other: str) -> None:
    ones, others = cut(one, MAX_NAME_CHARS), cut(other, MAX_NAME_CHARS)
    assert (ones == others) == (one == other)
    assert len(ones) == min(len(one), MAX_NAME_CHARS)


@given(st.text())
def test_a_text_takes_as_much_room_as_said(text: str) -> None:
    assert size(text) == len(text.encode("utf-8", "surrogatepass"))
