import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines import target
from baselines.target import chain, registered_domain, shape


def test_the_examples_hold() -> None:
    assert doctest.testmod(target).failed == 0


@given(st.text(max_size=1024))
def test_any_text_has_a_chain_and_always_the_same(text: str) -> None:
    links = chain(text)
    chain.cache_clear()
    assert chain(text) == links
    assert links.text == text
    assert links.kind in ("mailbox", "host", "path", "id", "name")
    assert len(links.group) <= max(64, len(text))


pieces = st.sampled_from(
    ["http://", "a", "B7", ".", "/", "@", ":", "\\", "\n", "é", "٣", "²", "?", ""]
)


@given(st.lists(pieces, max_size=12).map("".join))
def test_nor_does_what_looks_like_a_target_break_it(text: str) -> None:
    assert chain(text).text == text


@pytest.mark.parametrize(
    ("text", "kind", "group"),
    [
        ("Ann@Mail.Corp.Example", "mailbox", "mail.corp.example"),
        ("https://API.corp.example:8443/v1?q=1", "host", "corp.example"),
        ("api.corp.example/v1", "host", "corp.example"),
        ("https://shop.example.co.uk/", "host", "example.co.uk"),
        ("s3://bucket/key", "host", "bucket"),
        ("http://localhost:8080/x", "host", "localhost"),
        ("/srv/board/minutes.md", "path", "/srv/board"),
        ("file:///srv/board/minutes.md", "path", "file:///srv/board"),
        ("C:\\work\\plan.txt", "path", "C:/work"),
        ("report.pdf", "name", "a.a"),
        ("ORDER-1042", "id", "A-0"),
    ],
)
def test_kinds_and_groups(text: str, kind: str, group: str) -> None:
    assert chain(text)[:2] == (kind, group)


@pytest.mark.parametrize(
    "url",
    [
        "https://corp.example@mallory.example/",
        "https://corp.example:x@mallory.example/",
        "https://mallory.example\\@corp.example/",
        "https://mallory.example/@corp.example",
        "https://mallory.example?@corp.example",
        "https://mallory.example#@corp.example",
        "https://corp.example.mallory.example/",
        "corp.example:x@mallory.example/",
    ],
)
def test_a_stranger_does_not_get_into_the_group_by_how_it_writes_its_name(url: str) -> None:
    assert chain(url).group == "mallory.example"


def test_addresses_in_digits_are_no_domains() -> None:
    assert chain("http://10.1.2.3/").group != chain("http://6.6.2.3/").group
    assert registered_domain("10.1.2.34") == "10.1.2.34"


def test_a_shape_keeps_the_form_and_forgets_the_number() -> None:
    assert shape("INV-2026-00017") == shape("INV-2027-4") != shape("inv-2026-00017")
    assert len(shape("-" * 1000)) <= 64
