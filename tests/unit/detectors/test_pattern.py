import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.pattern import allows, literal, matches, parts

FOLDER, SITE, MAIL = "/srv/pay/*", "https://*.corp.example/*", "*@corp.example"


@pytest.mark.parametrize(
    ("pattern", "target"),
    [
        (FOLDER, "/srv/pay/2026/may"),
        (FOLDER, "/srv/pay/a/../b"),
        (FOLDER, "/srv//pay/./b"),
        ("./data/*", "data/x"),
        ("../shared/*", "../shared/x"),
        ("C:\\data\\*", "C:\\data\\x"),
        (SITE, "HTTPS://Api.Corp.Example:443/x"),
        (SITE, "https://api.corp.example./x?next=/../.."),
        ("https://corp.example", "https://corp.example/"),
        ("https://corp.example/a%20b/*", "https://corp.example/a%20b/x"),
        (MAIL, "Ada@CORP.example"),
        (MAIL, "ada@corp.example, bob@corp.example"),
        ("A*", "Ada@corp.example"),
        ("*.corp.example", "API.corp.example"),
        ("EMP-*", "EMP-1042"),
        ("*", "https://anywhere.example/"),
        ("*", "m@evil.example"),
    ],
)
def test_what_is_meant_is_allowed(pattern: str, target: str) -> None:
    assert allows((pattern,), target)


@pytest.mark.parametrize(
    ("pattern", "target"),
    [
        (FOLDER, "/srv/pay/../../etc/passwd"),
        (FOLDER, "/srv/pay/a\\..\\..\\..\\etc"),
        (FOLDER, "/srv/pay/%2e%2e/etc"),
        (FOLDER, "/SRV/pay/x"),
        ("/srv/*", "//srv/share"),
        ("data/*", "../data/x"),
        ("EMP-*", "EMP-1/../../etc"),
        ("C:\\data\\*", "C:\\data\\..\\x"),
        (SITE, "https://evil.example/.corp.example/"),
        (SITE, "https://evil.example?.corp.example/"),
        (SITE, "https://api.corp.example@evil.example/"),
        (SITE, "https://evil.example\\@api.corp.example/"),
        (SITE, "https://evil.example／.corp.example/"),
        (SITE, "https://evil.example%2f.corp.example/"),
        ("https://corp.example/v1/*", "https://corp.example/v1/%2e%2E/v2"),
        ("https://corp.example/v1/*", "https://corp.example/v1/%252e%252e/v2"),
        ("https://corp.example/*", "https://corp.example:8443/"),
        ("*.corp.example", "https://evil.example/.corp.example"),
        (MAIL, "m@evil.example,ada@corp.example"),
        (MAIL, "m@evil.example ada@corp.example"),
        (MAIL, "m@evil.example <ada@corp.example"),
        (MAIL, "m@evil.example@corp.example"),
        (MAIL, "https://evil.example/@corp.example"),
        (MAIL, "ada@corp.example.evil.example"),
    ],
)
def test_what_only_looks_so_is_not(pattern: str, target: str) -> None:
    assert not allows((pattern,), target)


def test_no_pattern_allows_nothing() -> None:
    assert not allows((), "anything")


def test_names_keep_their_case() -> None:
    assert matches(("read_*",), "read_mail")
    assert not matches(("read_*",), "Read_mail")


def test_a_list_of_addresses_is_several_targets() -> None:
    assert parts("a@x.example; b@y.example,") == ["a@x.example", "b@y.example"]
    assert parts("https://x.example/a@b,c") == ("https://x.example/a@b,c",)


@given(st.text(min_size=1, max_size=40))
def test_no_text_breaks_it_and_a_star_allows_all(text: str) -> None:
    assert allows(("*",), text)
    allows((FOLDER, SITE, MAIL, text), text)


@given(st.text(alphabet="ab/.*?[]", min_size=1, max_size=20))
def test_a_literal_fits_its_own_text(text: str) -> None:
    assert matches((literal(text),), text)


@given(st.text(alphabet="ab/.%2eE5\\", max_size=30))
def test_nothing_leaves_a_folder(rest: str) -> None:
    """What is allowed under a folder is under it for whoever resolves it, decoded or not."""
    import posixpath
    from urllib.parse import unquote

    target = "/srv/pay/" + rest
    if allows((FOLDER,), target):
        for text in (target, unquote(target), unquote(unquote(target))):
            for path in (text, text.replace("\\", "/")):
                assert (posixpath.normpath(path) + "/").startswith("/srv/pay/")
